//! Redis servers of a test's own, on free ports: alone, in a cluster, behind Sentinel, with TLS.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{self, Read, Write, stderr};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `redis-server` of the search path. It is gone, with all it held, when this is dropped.
pub struct Server {
    pub port: u16,
    arguments: Vec<String>,
    process: Child,
}

impl Server {
    /// None, and a word on standard error, where there is no `redis-server`.
    ///
    /// # Panics
    ///
    /// If there is none though `CI` is set: what CI has not tested must not pass.
    pub fn start() -> Option<Server> {
        Server::start_with(|_| vec![])
    }

    /// With other arguments, for the port that it gets.
    pub fn start_with(arguments: impl Fn(u16) -> Vec<String>) -> Option<Server> {
        // Now and then somebody else is quicker at a port.
        let mut started = (0..10).map(|_| {
            let port = free_port();
            let arguments = arguments(port);
            Server::spawn(port, &arguments).map(|process| process.map(|process| Server { port, arguments, process }))
        });
        let error = match started.find_map(Result::transpose) {
            Some(Ok(server)) => return Some(server),
            Some(Err(error)) => error,
            None => io::Error::other("it ends at once"),
        };
        assert!(
            env::var_os("CI").is_none(),
            "redis-server cannot be started, and in CI no test of it may be left out: {error}"
        );
        // Not by a macro, whose output the test harness keeps to itself when a test passes.
        let _ = writeln!(stderr(), "skipped: redis-server cannot be started: {error}");
        None
    }

    /// A cluster of three (from Redis 7 on), each in charge of a third of the keys.
    pub fn start_cluster() -> Option<[Server; 3]> {
        let buses = RefCell::new(vec![]);
        let node = || {
            Server::start_with(|port| {
                let bus = free_port();
                buses.borrow_mut().push((port, bus));
                let file = scratch(&format!("nodes-{port}.conf"));
                let _ = fs::remove_file(&file);
                let file = file.display();
                let words = format!(
                    "--cluster-enabled yes --cluster-port {bus} --cluster-config-file {file} \
                                     --cluster-node-timeout 2000"
                );
                words.split(' ').map(str::to_owned).collect()
            })
        };
        let nodes = [node()?, node()?, node()?];
        for (node, slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
            node.say(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        }
        for node in &nodes[1..] {
            let bus = buses.borrow().iter().rfind(|(port, _)| *port == node.port).unwrap().1;
            nodes[0].say(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port));
        }
        for node in &nodes {
            wait_until("the cluster is whole", || {
                let info = node.say("CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            });
        }
        Some(nodes)
    }

    /// A primary, its replica, and a Sentinel that knows it as `mymaster` and takes half a second to think it dead.
    pub fn start_sentinel() -> Option<[Server; 3]> {
        let primary = Server::start()?;
        let of = primary.port.to_string();
        let replica = Server::start_with(|_| {
            ["--replicaof", "127.0.0.1", &of, "--repl-diskless-sync-delay", "0"].map(str::to_owned).into()
        })?;
        wait_until("the replica is in step", || replica.say("INFO replication").contains("master_link_status:up"));
        let sentinel = Server::start_with(|port| {
            let file = scratch(&format!("sentinel-{port}.conf"));
            let text = format!(
                "sentinel monitor mymaster 127.0.0.1 {of} 1\nsentinel down-after-milliseconds mymaster 500\n\
                 sentinel failover-timeout mymaster 4000\n"
            );
            fs::write(&file, text).unwrap();
            vec![file.display().to_string(), "--sentinel".into()]
        })?;
        wait_until("Sentinel knows the replica", || {
            sentinel.say("SENTINEL REPLICAS mymaster").contains(&replica.port.to_string())
        });
        Some([primary, replica, sentinel])
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills it with SIGKILL and waits until it is dead.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        self.process = Server::spawn(self.port, &self.arguments).unwrap().unwrap();
    }

    /// Sends it a signal by name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// What it answers to a command of words, as it comes.
    pub fn say(&self, command: &str) -> String {
        ask(self.port, command).unwrap()
    }

    /// None if it cannot have the port.
    fn spawn(port: u16, arguments: &[String]) -> io::Result<Option<Child>> {
        let mut command = Command::new("redis-server");
        // A file of settings comes first.
        let (file, options) =
            arguments.split_at(usize::from(arguments.first().is_some_and(|it| it.ends_with(".conf"))));
        command.args(file).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]).args(options);
        if file.is_empty() {
            command.args(["--save", "", "--appendonly", "no"]);
            // A replica writes down what it is sent.
            command.args(["--dir", env!("CARGO_TARGET_TMPDIR"), "--dbfilename", &dump(port)]);
        }
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let start = Instant::now();
        let id = format!("process_id:{}\r\n", process.id());
        while !ask(port, "INFO server").is_ok_and(|info| info.contains(&id)) {
            if process.try_wait()?.is_some() {
                return Ok(None);
            }
            if start.elapsed() > Duration::from_secs(20) {
                process.kill()?;
                process.wait()?;
                panic!("redis-server does not answer");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(Some(process))
    }
}

fn dump(port: u16) -> String {
    format!("dump-{port}.rdb")
}

/// A file of this test's, for a while.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// # Panics
///
/// If it does not become so within 20 s.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        sleep(Duration::from_millis(20));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What the server at the port, whosever it is, says.
fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "{command}\r\nPING\r\n")?;
    let (mut said, mut buffer) = (vec![], [0; 4096]);
    while !said.ends_with(b"+PONG\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => said.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for file in self.arguments.iter().filter(|argument| argument.ends_with(".conf")) {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_file(scratch(&dump(self.port)));
    }
}

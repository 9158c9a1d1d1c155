//! A Redis server of a test's own, on a free port.

use std::env;
use std::fs;
use std::io::{self, Read, Write, stderr};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `redis-server` of the search path. It is gone, with all it held, when this is dropped.
pub struct Server {
    pub port: u16,
    /// Where the nodes of a cluster speak to each other; 0 for a server that is none.
    pub bus: u16,
    process: Child,
}

impl Server {
    /// None, and a word on standard error, where there is no `redis-server`.
    ///
    /// # Panics
    ///
    /// If there is none though `CI` is set: what CI has not tested must not pass.
    pub fn start() -> Option<Server> {
        Server::start_with(|| 0)
    }

    /// A node of a cluster, from Redis 7 on, that has neither keys to be in charge of nor other nodes yet.
    pub fn start_in_cluster() -> Option<Server> {
        Server::start_with(free_port)
    }

    fn start_with(bus: impl Fn() -> u16) -> Option<Server> {
        // Now and then somebody else is quicker at a port.
        let mut started = (0..10).map(|_| {
            let (port, bus) = (free_port(), bus());
            Server::spawn(port, bus).map(|process| process.map(|process| Server { port, bus, process }))
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
        self.process = Server::spawn(self.port, self.bus).unwrap().unwrap();
    }

    /// Sends it a signal by name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// None if it cannot have the port.
    fn spawn(port: u16, bus: u16) -> io::Result<Option<Child>> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        if bus != 0 {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
            command.args(["--cluster-config-file", &cluster_file(port)]);
        }
        let mut process = command.stdout(Stdio::null()).spawn()?;
        let start = Instant::now();
        let id = format!("process_id:{}\r\n", process.id());
        while !info(port).is_ok_and(|info| info.contains(&id)) {
            if process.try_wait()?.is_some() {
                return Ok(None);
            }
            assert!(start.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            sleep(Duration::from_millis(10));
        }
        Ok(Some(process))
    }
}

/// Where a node of a cluster writes down what it knows of the others.
fn cluster_file(port: u16) -> String {
    format!("{}/nodes-{port}.conf", env!("CARGO_TARGET_TMPDIR"))
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What the server at the port, whosever it is, says of itself.
fn info(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut info = String::new();
    stream.read_to_string(&mut info)?;
    Ok(info)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if self.bus != 0 {
            let _ = fs::remove_file(cluster_file(self.port));
        }
    }
}

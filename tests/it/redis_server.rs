//! A Redis server of a test's own, on a free port.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `redis-server` of the search path. It is gone, with all it held, when this is dropped.
pub struct Server {
    pub port: u16,
    process: Child,
}

impl Server {
    /// None, and a word on standard error, where there is no `redis-server`.
    pub fn start() -> Option<Server> {
        loop {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            match Server::spawn(port) {
                Ok(Some(process)) => return Some(Server { port, process }),
                Ok(None) => {} // somebody else was quicker at this port
                Err(error) => {
                    eprintln!("skipped: redis-server cannot be started: {error}");
                    return None;
                }
            }
        }
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
        self.process = Server::spawn(self.port).unwrap().unwrap();
    }

    /// Sends it a signal by name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// None if it cannot have the port.
    fn spawn(port: u16) -> io::Result<Option<Child>> {
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()?;
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
    }
}

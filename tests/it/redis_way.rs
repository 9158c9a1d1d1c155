//! A way to a Redis server that takes its time, loses answers, or falls silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// A way to the server.
#[allow(dead_code, reason = "one of the tests has an easier way")]
pub struct Way {
    pub url: String,
    /// The next answer is lost, and the connection breaks.
    pub lose: Arc<AtomicBool>,
    /// Nothing passes any more, and nobody is told.
    pub silent: Arc<AtomicBool>,
}

/// A way that takes its time, in each direction.
pub async fn way(port: u16, delay: Duration) -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let (lose, silent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let way = Way { url, lose: lose.clone(), silent: silent.clone() };
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (lose, silent) = (lose.clone(), silent.clone());
            tokio::spawn(async move {
                let (from, to) = client.into_split();
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let (back, forth) = server.into_split();
                let silent_now = silent.load(Ordering::SeqCst);
                let passes = move || silent_now || !silent.load(Ordering::SeqCst);
                let questions = pass(from, forth, delay, passes.clone(), Arc::default());
                let answers = pass(back, to, delay, passes, lose);
                tokio::select! { () = questions => {}, () = answers => {} }
            });
        }
    });
    way
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    delay: Duration,
    passes: impl Fn() -> bool,
    lose: Arc<AtomicBool>,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let _ = sender.send((Instant::now() + delay, buffer[..n].to_vec()));
        }
    };
    let write = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            if !passes() {
                return std::future::pending().await;
            }
            if lose.swap(false, Ordering::SeqCst) || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = write => {} // what was read before the end is still written
        () = async { read.await; std::future::pending().await } => {}
    }
}

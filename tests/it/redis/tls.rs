//! `rediss://`, as the documentation of `Redis::connect` has it.
//!
//! What rustls trusts, and whose cryptography it uses, is the process's: each case is this test, started again.

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep};
use wechat_events::store::{Claimed, Redis, Status, Store};

use super::{PREFIX, answer, key, ms, new};
use crate::redis_server::{Server, free_port, scratch};

/// An authority, and a certificate of it for 127.0.0.1, as `ca.crt`, `server.crt` and `server.key`.
fn certificates(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    for words in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    ] {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn tls_is_as_the_docs_say() {
    let folder = scratch(&format!("tls-{}", std::process::id()));
    certificates(&folder);
    let port = std::cell::Cell::new(0);
    let server = Server::start_with(|_| {
        port.set(free_port());
        let file = |name: &str| folder.join(name).display().to_string();
        let (port, certificate, key, authority) =
            (port.get().to_string(), file("server.crt"), file("server.key"), file("ca.crt"));
        let words = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let words = [&words[..], &["--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"]].concat();
        words.into_iter().map(str::to_owned).collect()
    });
    let Some(_server) = server else { return };
    for case in ["as the docs say", "without trust"] {
        let trusted = if case == "without trust" { "server.key" } else { "ca.crt" };
        let output = Command::new(env::current_exe().unwrap())
            .args(["redis::tls::machine", "--exact", "--nocapture"])
            .env("REDIS_TLS", format!("{case}|rediss://127.0.0.1:{}/", port.get()))
            .env("SSL_CERT_FILE", folder.join(trusted))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {said}{}", String::from_utf8_lossy(&output.stdout));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Not a test: a machine, if the test above has started this.
#[tokio::test]
async fn machine() {
    let Ok(arguments) = env::var("REDIS_TLS") else { return };
    let (case, url) = arguments.split_once('|').unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let statuses = Arc::new(Mutex::new(vec![]));
    let told = statuses.clone();
    let redis = Redis::builder(PREFIX).on_status(move |status| told.lock().unwrap().push(status.clone()));
    let redis = redis.connect(url).unwrap();
    if case == "as the docs say" {
        redis.check().await.unwrap();
        let claim = new(redis.claim(key(1), 0).await);
        redis.finish(&claim, &answer("reply"), None, 0).await.unwrap();
        let another = Redis::connect(url, PREFIX).unwrap();
        another.check().await.unwrap();
        assert!(matches!(another.claim(key(1), 0).await, Claimed::Done { .. }));
        return;
    }
    let start = Instant::now();
    while statuses.lock().unwrap().is_empty() {
        assert!(start.elapsed() < ms(5_000), "nobody is told");
        sleep(ms(20)).await;
    }
    new(redis.claim(key(1), 0).await); // in this process
    let statuses = statuses.lock().unwrap();
    let [Status::Down { reason }] = &statuses[..] else { panic!("{statuses:?}") };
    assert!(reason.contains("UnknownIssuer"), "{reason}");
}

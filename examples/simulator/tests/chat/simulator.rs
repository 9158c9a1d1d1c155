//! The command under test, as a process.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use tokio::time::{sleep, timeout};

use crate::http::{Answer, begin, post};

pub struct Simulator {
    /// Of the page, with its port.
    pub host: String,
    process: Child,
}

impl Simulator {
    pub async fn start(receiver: &str, options: &[String]) -> Simulator {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"))
            .args(["chat", receiver])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let host = line.strip_prefix("http://").and_then(|rest| rest.split_once('/')).map(|(host, _)| host.to_owned());
        let host = host.unwrap_or_else(|| panic!("no address: {line}"));
        assert_eq!(line, format!("http://{host}/ plays WeChat to {receiver}. Ctrl-C ends it.\n"));
        Simulator { host, process }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        post(&self.host, path, body, &[]).await
    }

    /// What an act would push, less what is another each time.
    pub async fn preview(&self, act: Value) -> Vec<String> {
        let answer = self.post("/api/preview", &act).await;
        assert_eq!(answer.status, 200, "{act}: {}", answer.text());
        answer.json()["messages"].as_array().unwrap().iter().map(crate::timeless).collect()
    }

    /// What a page is told first.
    pub async fn state(&self) -> Value {
        let mut changes = begin("GET", &self.host, "/api/changes", "", &[]).await.into_body();
        let mut told = Vec::new();
        while !told.ends_with(b"\n\n") {
            told.extend(changes.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        let told = String::from_utf8(told).unwrap();
        let json = told.strip_prefix("data: ").unwrap().trim_end();
        serde_json::from_str::<Value>(json).unwrap()["change"].take()
    }

    /// Until a push has come to its end.
    pub async fn wait_for(&self, id: u64) {
        let ended = async {
            loop {
                let state = self.state().await;
                let mut pushes = state["pushes"].as_array().unwrap().iter();
                if pushes.any(|push| push["id"] == json!(id) && !push["outcome"].is_null()) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(30), ended).await.expect("it ends");
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

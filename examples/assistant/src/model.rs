//! Asks a server that speaks as OpenAI's does, and reads its answer as it comes.

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};

use crate::mailbox::LOST;

/// Of an answer, some 5,000 characters of Chinese; what is longer is cut.
const MOST_BYTES: usize = 16 << 10;

/// From one part of the answer to the next.
const SILENCE: Duration = Duration::from_secs(60);

/// For all of it.
const LONGEST: Duration = Duration::from_secs(300);

/// Behind an answer that broke off.
pub const BROKEN_OFF: &str = "\n\n（回答到这里中断了，可以再问一次。）";

/// Behind an answer that is longer than may be kept.
pub const TOO_LONG: &str = "\n\n（回答太长，后面的略去了。）";

type Failure = Box<dyn Error + Send + Sync>;

pub struct Model {
    client: reqwest::Client,
    url: String,
    name: String,
    key: Option<String>,
}

impl Model {
    /// `url` is what its makers call the base, such as `https://api.deepseek.com/v1`.
    pub fn new(url: &str, name: String, key: Option<String>) -> Result<Model, Failure> {
        // An `Err` only says that there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).read_timeout(SILENCE);
        let url = format!("{}/chat/completions", url.trim_end_matches('/'));
        Ok(Model { client: client.timeout(LONGEST).build()?, url, name, key })
    }

    /// What the user is to see: the answer, as far as it came, and a word of what is wrong with it.
    pub async fn ask(&self, question: &str) -> String {
        let mut answer = String::new();
        match self.read(question, &mut answer).await {
            Ok(()) if answer.trim().is_empty() => LOST.to_owned(),
            Ok(()) if answer.len() > MOST_BYTES => {
                answer.truncate((0..=MOST_BYTES).rfind(|at| answer.is_char_boundary(*at)).unwrap_or(0));
                answer + TOO_LONG
            }
            Ok(()) => answer,
            Err(error) => {
                eprintln!("the model: {}", chain(&*error));
                if answer.trim().is_empty() { LOST.to_owned() } else { answer + BROKEN_OFF }
            }
        }
    }

    /// Adds to `answer` what comes, until all has come or it is too long.
    async fn read(&self, question: &str, answer: &mut String) -> Result<(), Failure> {
        let messages = json!([{ "role": "user", "content": question }]);
        let mut request = self.client.post(&self.url);
        request = request.json(&json!({ "model": self.name, "stream": true, "messages": messages }));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let mut response = request.send().await?.error_for_status()?;
        let mut stream = Stream::default();
        while let Some(bytes) = response.chunk().await? {
            if stream.read(&bytes, answer)? || answer.len() > MOST_BYTES {
                return Ok(());
            }
        }
        Err("its answer ended without [DONE]".into())
    }
}

/// Server-sent events, cut anywhere.
#[derive(Default)]
struct Stream {
    /// Of a line whose end has not come.
    begun: Vec<u8>,
}

impl Stream {
    /// Adds the text of these bytes to the answer; says whether that was all of it.
    fn read(&mut self, bytes: &[u8], answer: &mut String) -> Result<bool, Failure> {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            // Comments and other fields are of no interest, nor are the empty lines between events.
            let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else { continue };
            if data == b"[DONE]" {
                return Ok(true);
            }
            let event: Value = serde_json::from_slice(data)?;
            if let Some(error) = event.get("error") {
                return Err(format!("it says {error}").into());
            }
            answer.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
        if self.begun.len() > MOST_BYTES { Err("it sends a line without end".into()) } else { Ok(false) }
    }
}

/// An error with all that caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is seen when it comes in parts of so many bytes.
    fn read(text: &str, size: usize) -> (String, Result<bool, String>) {
        let (mut stream, mut answer) = (Stream::default(), String::new());
        for bytes in text.as_bytes().chunks(size) {
            match stream.read(bytes, &mut answer) {
                Ok(false) => {}
                ended => return (answer, ended.map_err(|error| error.to_string())),
            }
        }
        (answer, Ok(false))
    }

    #[test]
    fn an_answer_is_the_same_wherever_its_stream_is_cut() {
        let text = ": ping\r\n\r\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\r\n\r\n\
                    data: {\"choices\":[{\"delta\":{\"content\":\"你\"}}]}\n\ndata:{\"choices\":[{\"delta\":{\"content\":\"好\\n\"}}]}\n\n\
                    data: {\"choices\":[],\"usage\":{}}\n\nevent: end\ndata: [DONE]\n\ndata: more\n\n";
        for size in 1..text.len() {
            assert_eq!(read(text, size), ("你好\n".to_owned(), Ok(true)), "{size}");
        }
    }

    #[test]
    fn what_came_before_an_error_is_there_with_it() {
        let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"你\"}}]}\n";
        let error = |behind: &str| read(&format!("{begun}{behind}\n"), 7);
        let told = |error: &str| ("你".to_owned(), Err(error.to_owned()));
        assert_eq!(error("data: {\"error\":{\"code\":7}}"), told("it says {\"code\":7}"));
        assert_eq!(error("data: {"), told("EOF while parsing an object at line 1 column 1"));
        assert_eq!(error(&"x".repeat(MOST_BYTES + 7)), told("it sends a line without end"));
        assert_eq!(error(""), ("你".to_owned(), Ok(false)));
    }
}

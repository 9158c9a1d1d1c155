//! The page itself, in headless Chromium.
//!
//! Needs chromedriver: `CHROMEDRIVER` names it, else it is looked for in the `PATH`. Where it is missing nothing is
//! tested, but under `CI` that is a failure. `SCREENSHOTS` names a folder for pictures of each stage.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};
use wechat_events::event::{Click, ScancodeWaitmsg, Subscribe, Text};
use wechat_events::reply::Article;
use wechat_events::{AsyncHandler, Event, HandlerResult, Reply};

use crate::receiver::Receiver;
use crate::simulator::Simulator;

/// WeChat's words.
const FAULT_LINE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// chromedriver with one window.
struct Browser {
    client: Client,
    driver: Child,
}

fn chromedriver() -> Option<PathBuf> {
    let path = env::var_os("CHROMEDRIVER").map(PathBuf::from).or_else(|| {
        let folders: Vec<_> = env::split_paths(&env::var_os("PATH")?).collect();
        folders.into_iter().map(|folder| folder.join("chromedriver")).find(|file| file.is_file())
    });
    if path.is_none() {
        assert!(env::var_os("CI").is_none(), "no chromedriver in the PATH, and CHROMEDRIVER names none");
        eprintln!("not tested: no chromedriver in the PATH, and CHROMEDRIVER names none");
    }
    path
}

/// A command of chromedriver's own, below the session's address.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    async fn start() -> Option<Browser> {
        let mut driver = Command::new(chromedriver()?).arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(driver.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "chromedriver ends at once");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim().trim_end_matches('.').to_owned();
            }
        };
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--lang=en",
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let address = format!("http://127.0.0.1:{port}");
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&address)
            .await
            .unwrap();
        Some(Browser { client, driver })
    }

    async fn own(&self, command: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Own(command, body)).await.unwrap()
    }

    async fn viewport(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size });
        self.own("goog/cdp/execute", command).await;
    }

    /// From the next page on, the language of the person.
    async fn language(&self, language: &str) {
        let override_all = json!({ "userAgent": self.js("navigator.userAgent").await, "acceptLanguage": language });
        self.own("goog/cdp/execute", json!({ "cmd": "Emulation.setUserAgentOverride", "params": override_all })).await;
    }

    async fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.own("goog/cdp/execute", json!({ "cmd": "Emulation.setEmulatedMedia", "params": media })).await;
    }

    /// What the page, and the browser about the page, has complained of.
    async fn complaints(&self) -> Vec<String> {
        let log = self.own("se/log", json!({ "type": "browser" })).await;
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    async fn js(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression});"), Vec::new()).await.unwrap()
    }

    /// Until an expression is true.
    async fn until(&self, expression: &str) {
        self.within(Duration::from_secs(10), expression).await;
    }

    async fn within(&self, patience: Duration, expression: &str) {
        let end = Instant::now() + patience;
        // What is not there yet has no `innerText`.
        let is_true = format!("(() => {{ try {{ return ({expression}) }} catch {{ return false }} }})()");
        while self.js(&is_true).await != json!(true) {
            assert!(Instant::now() < end, "never true: {expression}\n{}", self.js("document.body.innerText").await);
            sleep(Duration::from_millis(25)).await;
        }
    }

    async fn texts(&self, css: &str) -> Vec<String> {
        let texts =
            self.js(&format!("[...document.querySelectorAll({css:?})].map((one) => one.innerText.trim())")).await;
        serde_json::from_value(texts).unwrap()
    }

    /// Until the last of some elements has a text.
    async fn until_last(&self, css: &str, text: &str) {
        self.until(&format!("[...document.querySelectorAll({css:?})].at(-1)?.innerText.trim() === {text:?}")).await;
    }

    /// Clicks as a person does: what is covered or hidden fails.
    async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Clicks the one that has a text, of those that can be seen.
    async fn press(&self, css: &str, text: &str) {
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            if element.text().await.unwrap().trim() == text {
                return element.click().await.unwrap_or_else(|error| panic!("{css} {text}: {error}"));
            }
        }
        panic!("no {css} has the text {text}: {:?}", self.texts(css).await);
    }

    async fn keys(&self, text: &str) -> Result<(), CmdError> {
        self.client.active_element().await?.send_keys(text).await
    }

    async fn say(&self, text: &str) {
        self.client.find(Locator::Css("#text")).await.unwrap().click().await.unwrap();
        self.keys(&format!("{text}{}", char::from(Key::Enter))).await.unwrap();
    }

    /// Fills in the dialog's field of that place, and sends it by Enter.
    async fn answer(&self, fields: &[(usize, &str)]) {
        self.until("document.querySelector('dialog').open").await;
        let inputs = self.client.find_all(Locator::Css("dialog input")).await.unwrap();
        for (index, text) in fields {
            inputs[*index].clear().await.unwrap();
            inputs[*index].send_keys(text).await.unwrap();
        }
        inputs[0].send_keys(&char::from(Key::Enter).to_string()).await.unwrap();
        self.until("!document.querySelector('dialog').open").await;
    }

    /// Until the selected push has come to its end; its line of what WeChat makes of it.
    async fn verdict(&self, name: &str) -> String {
        let ended = format!(
            "document.querySelector('#detail h3')?.innerText === {name:?} \
             && document.querySelector('.verdict')?.dataset.shown !== 'running'"
        );
        self.until(&ended).await;
        self.texts(".verdict > span:nth-child(2)").await.remove(0)
    }

    async fn screenshot(&self, name: &str) {
        if let Some(folder) = env::var_os("SCREENSHOTS") {
            let picture = self.client.screenshot().await.unwrap();
            fs::write(Path::new(&folder).join(name).with_extension("png"), picture).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Runs a test with a window, and closes the window whatever becomes of the test.
async fn in_browser<F: Future<Output = ()> + 'static>(test: impl FnOnce(Rc<Browser>) -> F) {
    let Some(browser) = Browser::start().await.map(Rc::new) else { return };
    let outcome = LocalSet::new().run_until(async { spawn_local(test(Rc::clone(&browser))).await }).await;
    browser.client.clone().close().await.unwrap();
    if let Err(failed) = outcome {
        resume_unwind(failed.into_panic());
    }
}

const REPLIES: &str = ".row.shown .bubble";

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_the_page_sees_what_a_user_would() {
    in_browser(person).await;
}

async fn person(browser: Rc<Browser>) {
    let receiver = Receiver::safe().await;
    let mut options = receiver.options.clone();
    options.extend(["--name", "Noodle House"].map(str::to_owned));
    let simulator = Simulator::start(&receiver.address, &options).await;
    browser.viewport(1280, 800).await;
    browser.client.goto(&format!("http://{}/", simulator.host)).await.unwrap();

    // The page as it begins.
    browser.until("document.querySelectorAll('#menu > .item').length === 3").await;
    assert_eq!(browser.js("document.title").await, "Noodle House · WeChat simulator");
    assert_eq!(browser.texts("#name, #mode, #target").await, ["Noodle House", "safe mode", &receiver.address]);
    assert_eq!(browser.texts("#menu > .item > button").await, ["Dishes", "At table", "More"]);
    browser.until("document.querySelector('#detail').innerText.startsWith('No push yet.')").await;
    browser.screenshot("1-begin").await;

    // The menu: a news reply of two articles.
    browser.press("#menu button", "Dishes").await;
    assert_eq!(browser.verdict("CLICK").await, "WeChat shows the reply");
    assert_eq!(browser.texts(".articles .article").await, ["Noodles", "Dumplings"]);
    let addresses = browser.js("[...document.querySelectorAll('.articles a')].map((a) => a.href + a.rel)").await;
    let rel = "noopener noreferrer";
    assert_eq!(
        addresses,
        json!([format!("https://example.com/noodles{rel}"), format!("https://example.com/dumplings{rel}")])
    );
    // In safe mode the request is sealed, and shown in the clear first.
    let body = "document.querySelector('.request pre').innerText";
    browser.until(&format!("{body}.includes('<EventKey><![CDATA[DISHES]]></EventKey>')")).await;
    browser.press(".request .choice button", "As sent").await;
    browser.until(&format!("{body}.includes('<Encrypt>') && !{body}.includes('DISHES')")).await;
    let answer = "document.querySelector('.answer pre').innerText";
    browser.until(&format!("{answer}.includes('<![CDATA[Dumplings]]>')")).await;
    browser.press(".answer .choice button", "As received").await;
    browser.until(&format!("{answer}.includes('<MsgSignature>') && !{answer}.includes('Dumplings')")).await;
    browser.press(".request .choice button", "Plaintext").await;
    browser.press(".answer .choice button", "Plaintext").await;

    // Submenus, and what their buttons ask for.
    browser.press("#menu .item > button", "At table").await;
    let offered = ["Call a waiter", "Scan your bill", "Scan a poster", "Show your dish", "Deliver to…"];
    browser.until("document.querySelectorAll('.popup:not([hidden]) button').length === 5").await;
    assert_eq!(browser.texts(".popup:not([hidden]) button").await, offered);
    browser.screenshot("2-menu").await;
    browser.press(".popup button", "Call a waiter").await;
    browser.until_last(REPLIES, "You pressed WAITER.").await;
    browser.until("document.querySelectorAll('.popup:not([hidden])').length === 0").await;
    browser.press("#menu .item > button", "At table").await;
    browser.press(".popup button", "Scan your bill").await;
    browser.answer(&[(0, "BILL-7")]).await;
    browser.until_last(REPLIES, "It says: BILL-7").await;
    browser.press("#menu .item > button", "At table").await;
    browser.press(".popup button", "Deliver to…").await;
    browser.answer(&[(0, "花城广场")]).await;
    browser.until_last(REPLIES, "We deliver to 花城广场.").await;
    browser.until_last(".row.said .place strong", "花城广场").await;
    // What is in front of a request is shown when it is asked for.
    let host = receiver.address.strip_prefix("http://").unwrap().strip_suffix("/wechat").unwrap();
    let head = "document.querySelector('.request .http').innerText";
    browser.until(&format!("!{head}.includes('Host: ')")).await;
    browser.click(".request summary").await;
    browser.until(&format!("{head}.includes('Host: {host}')")).await;
    browser.click(".request summary").await;
    // By the keyboard alone.
    browser.js("document.querySelectorAll('#menu .item > button')[2].focus()").await;
    let (enter, down) = (char::from(Key::Enter).to_string(), char::from(Key::Down).to_string());
    browser.keys(&enter).await.unwrap();
    browser.until("document.activeElement.innerText === 'Our website'").await;
    browser.keys(&down).await.unwrap();
    browser.keys(&down).await.unwrap();
    browser.keys(&enter).await.unwrap();
    browser.until_last(REPLIES, "You pressed ABOUT.").await;
    browser.press("#menu .item > button", "More").await;
    browser.press(".popup button", "Our website").await;
    assert_eq!(browser.verdict("VIEW").await, "WeChat shows nothing, as asked");
    browser.until_last("#toast", "WeChat opens https://example.com/").await;

    // Texts: what strangers write stays text.
    browser.click("#to-keyboard").await;
    browser.until("document.activeElement.id === 'text'").await;
    // A text that is answered `success`: why nothing appears, and what to do.
    browser.say("silence").await;
    assert_eq!(browser.verdict("text").await, "WeChat shows nothing, as asked");
    assert_eq!(browser.texts(".row .nothing").await, ["The user sees nothing: the receiver returned no reply."]);
    let hint = browser.texts(".verdict small").await.remove(0);
    assert!(hint.starts_with("The receiver returned `success` or an empty body, so the user sees nothing."), "{hint}");
    browser.screenshot("2-silence").await;
    let script = "<img src=x onerror=alert(1)>";
    browser.say(script).await;
    browser.until_last(REPLIES, &format!("You said: {script}")).await;
    browser.until_last(".row.said .bubble", script).await;
    assert_eq!(browser.js("document.querySelectorAll('img, #chat script').length").await, json!(0));
    browser
        .say(r#"echo See <a href="https://example.com/menu">our menu</a> or <a href="javascript:alert(1)">this</a>"#)
        .await;
    browser.until_last(REPLIES, "See our menu or this").await;
    let links = browser.js("[...document.querySelectorAll('.bubble a')].map((a) => a.getAttribute('href'))").await;
    assert_eq!(links, json!(["https://example.com/menu"]));
    browser.say(r#"echo How was it? <a href="weixin://bizmsgmenu?msgmenucontent=Good&msgmenuid=101">Good</a>"#).await;
    browser.until_last(REPLIES, "How was it? Good").await;
    browser.click(".bubble button.inline").await;
    browser.until_last(REPLIES, "You said: Good").await;
    browser.until(&format!("{body}.includes('<bizmsgmenuid><![CDATA[101]]></bizmsgmenuid>')")).await;
    // Of all markup WeChat knows links alone: other angle brackets are words, in the bubble and in the list.
    for (reply, shown) in [
        ("1<2 和 3>2, <b>bold</b>", "1<2 和 3>2, <b>bold</b>"),
        (r#"<a name="x">Here</a> <a href="">there</a>"#, r#"<a name="x">Here</a> <a href="">there</a>"#),
        (r#"Go <a href="https://example.com/a?b&amp;c" title=">">on</a>"#, "Go on"),
        (
            r#"<a data-miniprogram-appid='wx1' data-miniprogram-path="pages/menu">Order</a> at https://a.example/"#,
            "Order at https://a.example/",
        ),
    ] {
        browser.say(&format!("echo {reply}")).await;
        browser.until_last(REPLIES, shown).await;
        assert_eq!(browser.js("document.querySelector('#pushes .push .sees').textContent").await, shown);
    }
    browser.say("echo <b>bold</b>").await;
    browser.until_last(REPLIES, "<b>bold</b>").await;
    let tags = "[...document.querySelectorAll('.answer pre .tag')].map((tag) => tag.textContent)";
    browser.until(&format!("{tags}.includes('<Content>')")).await;
    assert_eq!(browser.js(&format!("{tags}.filter((tag) => /^<[/]?b>/.test(tag))")).await, json!([]));

    // «+»
    browser.click("#plus").await;
    assert_eq!(
        browser.texts("#panel button").await,
        ["Picture", "Voice", "Video", "Location", "Scan a code", "Link", "Unfollow", "Any other…"]
    );
    browser.screenshot("3-plus").await;
    browser.press("#panel button", "Picture").await;
    assert_eq!(browser.verdict("image").await, "WeChat shows nothing, as asked");
    for (button, fields, name) in [("Voice", &[(0, "你好")][..], "voice"), ("Link", &[], "link")] {
        browser.click("#plus").await;
        browser.press("#panel button", button).await;
        browser.answer(fields).await;
        assert_eq!(browser.verdict(name).await, "WeChat shows nothing, as asked");
    }
    browser.click("#plus").await;
    browser.press("#panel button", "Location").await;
    browser.answer(&[(0, "Harbour"), (1, "1.5")]).await;
    browser.until_last(REPLIES, "We deliver to Harbour.").await;
    browser.screenshot("4-messages").await;
    browser.click("#plus").await;
    browser.press("#panel button", "Scan a code").await;
    browser.answer(&[(0, "7")]).await;
    browser.until_last(REPLIES, "You are at table 7.").await;

    // Leaving, and coming back by a code.
    browser.click("#plus").await;
    browser.press("#panel button", "Unfollow").await;
    browser.until("!document.querySelector('#unfollowed').hidden && document.querySelector('#text').disabled").await;
    assert_eq!(browser.verdict("unsubscribe").await, "WeChat shows nothing, as asked");
    browser.screenshot("5-unfollowed").await;
    browser.click("#follow-by-code").await;
    browser.answer(&[(0, "8")]).await;
    browser.until_last(REPLIES, "Welcome to table 8!").await;
    browser.until("document.querySelector('#unfollowed').hidden && !document.querySelector('#text').disabled").await;
    browser.click("#profile").await;
    browser.press("dialog button", "Unfollow").await;
    browser.until("!document.querySelector('#unfollowed').hidden").await;
    browser.click("#follow").await;
    browser.until_last(REPLIES, "Welcome!").await;

    // Any other event: searched, changed, written by hand, made up.
    browser.click("#plus").await;
    browser.press("#panel button", "Any other…").await;
    browser.until("document.querySelectorAll('dialog option').length > 90").await;
    browser.screenshot("6-any-other").await;
    browser.keys("templatesend").await.unwrap();
    browser.until("document.querySelector('dialog .hint').innerText.startsWith('TEMPLATESENDJOBFINISH')").await;
    let status = browser.client.find(Locator::Css("dialog [aria-label=Status]")).await.unwrap();
    status.clear().await.unwrap();
    status.send_keys("failed:user block").await.unwrap();
    browser.press("dialog button", "Edit as XML").await;
    let written = "document.querySelector('dialog textarea').value";
    browser.until(&format!("{written}.includes('<Status><![CDATA[failed:user block]]></Status>')")).await;
    browser.press("dialog button", "Push").await;
    assert_eq!(browser.verdict("TEMPLATESENDJOBFINISH").await, "WeChat shows nothing, as asked");
    browser.click("#plus").await;
    browser.press("#panel button", "Any other…").await;
    browser.keys("brand_new").await.unwrap();
    browser.press("dialog button", "Push").await;
    assert_eq!(browser.verdict("brand_new").await, "WeChat shows nothing, as asked");

    // The console's button.
    browser.click("#check").await;
    assert_eq!(browser.verdict("address check").await, "WeChat confirms the address");

    // A receiver that answers rubbish.
    receiver.break_it(true);
    browser.say("hello?").await;
    browser.until_last(".line.fault", FAULT_LINE).await;
    assert_eq!(
        browser.verdict("text").await,
        "WeChat shows its fault line: the push and the answer are not both XML or both JSON"
    );
    browser.screenshot("7-fault").await;
    receiver.break_it(false);

    // A slow one: hung up at 5 s, answered upon the second delivery. Another text does not wait for it.
    browser.say("wait 8").await;
    browser.until("document.querySelectorAll('.timeline .attempt.running').length === 1").await;
    let width =
        async || browser.js("parseFloat(document.querySelector('.timeline .attempt').style.width)").await.as_f64();
    let early = width().await;
    browser.say("quick").await;
    browser.until_last(REPLIES, "You said: quick").await;
    browser.click("#pushes .push:nth-child(2)").await;
    browser.until("document.querySelector('.verdict').innerText === 'WeChat is waiting for a response'").await;
    assert!(width().await > early, "the bar grows");
    browser.within(Duration::from_secs(9), "document.querySelectorAll('.timeline .attempt.silent').length === 1").await;
    browser.until("document.querySelectorAll('.timeline .attempt.running').length === 1").await;
    browser.screenshot("8-slow").await;
    browser.until_last(REPLIES, "number 1").await;
    let results = browser.texts(".delivery .result").await;
    assert!(results[0].starts_with("timed out after 5.") && results[1].starts_with("200 after "), "{results:?}");
    assert_eq!(results[2], "not needed");
    assert_eq!(
        browser.texts(".verdict").await,
        ["WeChat shows the reply\nWeChat delivered it 2 times, and takes the last answer."]
    );
    let bars = browser.js("[...document.querySelectorAll('.timeline .attempt')].map((one) => one.className)").await;
    assert_eq!(bars, json!(["attempt silent", "attempt good"]));
    // Either delivery can be looked at.
    browser.click(".delivery:first-child").await;
    browser.until("document.querySelector('.answer').innerText.includes('no answer in time')").await;
    browser.screenshot("9-retried").await;

    // The page loaded again shows the same conversation.
    let conversation = async || browser.js("document.querySelector('#chat').innerText").await;
    let before = conversation().await;
    browser.client.refresh().await.unwrap();
    browser.until("document.querySelectorAll('.push').length > 20").await;
    assert_eq!(conversation().await, before);

    // The list by keyboard.
    let chosen = async || browser.texts(".push[aria-selected=true] .kind, .push[aria-selected=true] .summary").await;
    browser.js("document.querySelector('#pushes').focus()").await;
    assert_eq!(chosen().await, ["text", "quick"]);
    browser.keys(&down).await.unwrap();
    assert_eq!(chosen().await, ["text", "wait 8"]);

    // A narrow window has no more than its width.
    for (width, name) in [(900, "10-tablet"), (390, "11-narrow")] {
        browser.viewport(width, 844).await;
        browser.js("scrollTo(0, 0)").await;
        browser.screenshot(name).await;
        assert_eq!(browser.js("document.documentElement.scrollWidth").await, json!(width));
    }
    browser.js("scrollTo(0, document.querySelector('.developer').offsetTop)").await;
    browser.screenshot("12-narrow-developer").await;
    browser.js("scrollTo(0, 0)").await;
    browser.click("#plus").await;
    browser.press("#panel button", "Any other…").await;
    browser.until("document.querySelectorAll('dialog option').length > 90").await;
    browser.screenshot("13-narrow-dialog").await;
    assert_eq!(browser.js("document.documentElement.scrollWidth").await, json!(390));
    browser.press("dialog button", "Cancel").await;
    browser.click("#to-menu").await;
    browser.press("#menu .item > button", "More").await;
    browser.screenshot("14-narrow-menu").await;
    let inside = "(({ left, right }) => left >= 0 && right <= 390)(document.querySelector('.popup:not([hidden])').getBoundingClientRect())";
    assert_eq!(browser.js(inside).await, json!(true));
    browser.click("#name").await;
    browser.viewport(1280, 600).await;
    browser.screenshot("15-low").await;
    browser.viewport(1280, 800).await;
    browser.dark(true).await;
    browser.screenshot("16-dark").await;

    browser.press("#clear", "Clear").await;
    browser.until("document.querySelectorAll('.push, .row, .time').length === 0").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    drop(simulator);
    browser.until("document.querySelector('#link').innerText === 'The simulator has stopped. Start it again.'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chinese_browser_has_the_page_in_chinese() {
    in_browser(chinese).await;
}

async fn chinese(browser: Rc<Browser>) {
    let receiver = Receiver::safe().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    browser.viewport(1280, 800).await;
    browser.language("zh-CN").await;
    browser.client.goto(&format!("http://{}/", simulator.host)).await.unwrap();
    browser.until("document.querySelectorAll('#menu > .item').length === 3").await;
    assert_eq!(browser.js("document.title + document.documentElement.lang").await, "公众号 · 微信模拟器zh-CN");
    assert_eq!(
        browser.texts("#name, #mode, #check, .columns span").await,
        ["公众号", "安全模式", "验证服务器地址", "时间", "推送", "", "投递", "用户看到",]
    );
    assert_eq!(browser.texts("#menu > .item > button").await, ["今日菜品", "堂食", "更多"]);
    browser.screenshot("20-chinese-begin").await;

    // A text that is answered `success`: why nothing appears, and what to do.
    browser.click("#to-keyboard").await;
    browser.say("silence").await;
    assert_eq!(browser.verdict("text").await, "微信按响应的要求，什么也不显示");
    assert_eq!(browser.texts(".row .nothing").await, ["用户什么也看不到：服务端没有返回回复。"]);
    let hint = browser.texts(".verdict small").await.remove(0);
    assert!(hint.starts_with("服务端返回了 `success` 或空响应，所以用户什么也看不到。"), "{hint}");
    browser.screenshot("21-chinese-silence").await;

    receiver.break_it(true);
    browser.say("在吗？").await;
    browser.until_last(".line.fault", FAULT_LINE).await;
    assert_eq!(browser.verdict("text").await, "微信显示故障提示：推送和响应的格式不一致，应当同为 XML 或同为 JSON");
    browser.screenshot("22-chinese-fault").await;
    receiver.break_it(false);
    browser.click("#plus").await;
    browser.press("#panel button", "其他推送…").await;
    browser.until("document.querySelectorAll('dialog option').length > 90").await;
    browser.screenshot("23-chinese-any-push").await;
    browser.press("dialog button", "取消").await;
    browser.say("wait 7").await;
    browser.within(Duration::from_secs(9), "document.querySelectorAll('.timeline .attempt.silent').length === 1").await;
    browser.until_last(REPLIES, "number 1").await;
    browser.until("document.querySelector('.verdict').innerText.includes('微信投递了 2 次')").await;
    browser.screenshot("24-chinese-slow").await;

    // No English but what the receiver, the wire and the options say.
    browser.click("#plus").await;
    browser.press("#panel button", "取消关注").await;
    assert_eq!(browser.verdict("unsubscribe").await, "微信按响应的要求，什么也不显示");
    browser.screenshot("25-chinese-unfollowed").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// The pictures of the READMEs:
/// ```text
/// apt-get install chromium-driver fonts-noto-core fonts-noto-cjk pngquant
/// cargo test -p wechat-simulator --test chat -- --ignored pictures
/// pngquant --force --ext .png --strip examples/simulator/*.png
/// ```
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes examples/simulator/chat*.png"]
async fn pictures_for_the_readme() {
    in_browser(pictures).await;
}

/// A conversation, in one language: what the user says, and the replies.
struct Conversation {
    language: &'static str,
    name: &'static str,
    clear: &'static str,
    welcome: &'static str,
    seat: [&'static str; 2],
    bill: &'static str,
    dishes: [&'static str; 2],
    evening: [&'static str; 2],
    unanswered: &'static str,
    slow: [&'static str; 2],
    meanwhile: [&'static str; 2],
    pictures: [&'static str; 2],
}

const ENGLISH: Conversation = Conversation {
    language: "en",
    name: "Noodle House",
    clear: "Clear",
    welcome: "Welcome to table 7!",
    seat: ["Is there a seat by the window?", "Yes, table 9 is free."],
    bill: "Table 7: 42 yuan",
    dishes: ["Noodles", "Dumplings"],
    evening: ["Good evening", "Good evening! What may we bring?"],
    unanswered: "Are you there?",
    slow: ["What do you recommend?", "The noodles, pulled by hand."],
    meanwhile: ["And tea, please", "Tea is on its way."],
    pictures: ["chat", "chat-slow"],
};

const CHINESE: Conversation = Conversation {
    language: "zh-CN",
    name: "老街面馆",
    clear: "清空",
    welcome: "欢迎光临，您在 7 号桌！",
    seat: ["请问还有靠窗的位子吗？", "有的，9 号桌空着。"],
    bill: "7 号桌：42 元",
    dishes: ["手工拉面", "鲜肉水饺"],
    evening: ["晚上好", "晚上好！想吃点什么？"],
    unanswered: "在吗？",
    slow: ["有什么推荐的吗？", "推荐手工拉面。"],
    meanwhile: ["再来一壶茶", "茶马上就来。"],
    pictures: ["chat.zh-CN", "chat-slow.zh-CN"],
};

impl AsyncHandler for Conversation {
    async fn subscribe(&self, _: &Event<'_>, _: &Subscribe<'_>) -> HandlerResult {
        Ok(self.welcome.into())
    }

    async fn click(&self, _: &Event<'_>, _: &Click<'_>) -> HandlerResult {
        Ok(Reply::news(self.dishes.map(|dish| Article::new(dish, "", "", "https://example.com/menu"))))
    }

    async fn scancode_waitmsg(&self, _: &Event<'_>, _: &ScancodeWaitmsg<'_>) -> HandlerResult {
        Ok(self.bill.into())
    }

    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        if text.content == self.slow[0] {
            sleep(Duration::from_secs(7)).await;
        }
        let said =
            [self.seat, self.evening, self.slow, self.meanwhile].into_iter().find(|[said, _]| text.content == *said);
        Ok(said.map_or(Reply::Success, |[_, reply]| reply.into()))
    }
}

async fn pictures(browser: Rc<Browser>) {
    for conversation in [&ENGLISH, &CHINESE] {
        pictures_of(&browser, conversation).await;
    }
}

async fn pictures_of(browser: &Browser, words: &'static Conversation) {
    let receiver = Receiver::safe_with(words).await;
    let mut options = receiver.options.clone();
    options.extend(["--name", words.name].map(str::to_owned));
    let simulator = Simulator::start(&receiver.address, &options).await;
    browser.viewport(1280, 800).await;
    browser.language(words.language).await;
    browser.client.goto(&format!("http://{}/", simulator.host)).await.unwrap();
    browser.until("document.querySelectorAll('#menu > .item').length === 3").await;
    let act = async |act: Value| assert_eq!(simulator.post("/api/acts", &act).await.status, 202);
    let replies = async |text: &str| browser.until_last(REPLIES, text).await;

    act(json!({ "push": { "kind": "unsubscribe" } })).await;
    browser.verdict("unsubscribe").await;
    browser.press("#clear", words.clear).await;
    act(json!({ "scan": { "scene": "7" } })).await;
    replies(words.welcome).await;
    browser.click("#to-keyboard").await;
    browser.say(words.seat[0]).await;
    replies(words.seat[1]).await;
    browser.click("#to-menu").await;
    act(json!({ "press": { "button": [1, 1], "set": [["ScanCodeInfo/ScanResult", "BILL-7"]] } })).await;
    replies(words.bill).await;
    act(json!({ "press": { "button": [0] } })).await;
    browser.until_last(".articles .article", words.dishes[1]).await;
    browser.verdict("CLICK").await;
    picture(browser, words.pictures[0]).await;

    browser.click("#to-keyboard").await;
    browser.press("#clear", words.clear).await;
    browser.say(words.evening[0]).await;
    replies(words.evening[1]).await;
    receiver.break_it(true);
    browser.say(words.unanswered).await;
    browser.until_last(".line.fault", FAULT_LINE).await;
    receiver.break_it(false);
    browser.say(words.slow[0]).await;
    sleep(Duration::from_secs(3)).await;
    browser.say(words.meanwhile[0]).await;
    replies(words.meanwhile[1]).await;
    browser.within(Duration::from_secs(7), "document.querySelectorAll('.lane .attempt.silent').length === 1").await;
    replies(words.slow[1]).await;
    browser.click("#pushes .push:nth-child(2)").await;
    browser.js("document.activeElement.blur()").await;
    picture(browser, words.pictures[1]).await;
}

async fn picture(browser: &Browser, name: &str) {
    // The mouse is nowhere.
    browser.client.find(Locator::Css("#name")).await.unwrap().click().await.unwrap();
    let picture = browser.client.screenshot().await.unwrap();
    fs::write(format!("{}/{name}.png", env!("CARGO_MANIFEST_DIR")), picture).unwrap();
}

//! `wechat-simulator chat`: what its page asks of it over HTTP, and the page itself in Chromium.

mod browser;
mod http;
mod receiver;
#[path = "../shop/mod.rs"]
mod shop;
mod simulator;
mod words;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use wechat_events::{AsyncHandler, Event, HandlerResult, Reply};

use http::{get, post};
use receiver::Receiver;
use simulator::Simulator;

/// A message without what is another in each run.
fn timeless(message: &Value) -> String {
    let message = message.as_str().unwrap();
    let blank = |text: String, name: &str| match text.split_once(&format!("<{name}>")) {
        Some((front, behind)) => {
            let (_, behind) = behind.split_once("</").unwrap();
            format!("{front}<{name}>0</{behind}")
        }
        None => text,
    };
    ["CreateTime", "MsgId"].into_iter().fold(message.to_owned(), blank)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_becomes_a_bubble_on_each_side_and_both_survive_a_reload() {
    let receiver = Receiver::safe().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    let begun = simulator.post("/api/acts", &json!({ "text": { "content": "hi <b>" } })).await;
    assert_eq!((begun.status, begun.json()), (202, json!({ "ids": [1] })));
    simulator.wait_for(1).await;

    // A page that is loaded now is told all of it.
    let change = simulator.state().await;
    assert_eq!((&change["following"], &change["oldest"]), (&json!(true), &json!(1)));
    let push = &change["pushes"][0];
    assert_eq!(
        (&push["id"], &push["name"], &push["takes_reply"], &push["summary"]),
        (&json!(1), &json!("text"), &json!(true), &json!("hi <b>"))
    );
    assert_eq!(push["said"], json!({ "said": "text", "content": "hi <b>" }));
    let mut outcome = push["outcome"].clone();
    outcome["at"] = Value::Null;
    assert_eq!(
        outcome,
        json!({
            "verdict": { "en": "WeChat shows the reply", "zh": "微信显示这条回复" }, "hint": null, "tone": "good", "shown": "text",
            "content": "You said: hi <b>", "at": null,
        })
    );
    assert_eq!(
        timeless(&push["message"]["text"]),
        "<xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>\n\
         <FromUserName><![CDATA[oqi1rLPx-bJ18oxc49j8USAghBVe]]></FromUserName>\n\
         <CreateTime>0</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n\
         <Content><![CDATA[hi <b>]]></Content>\n<MsgId>0</MsgId>\n</xml>"
    );

    // One delivery, as it went over the wire and in the clear.
    let [attempt] = &push["attempts"].as_array().unwrap()[..] else { panic!("{push:#}") };
    let line = attempt["request"]["line"].as_str().unwrap();
    assert!(line.starts_with("POST /wechat?signature=") && line.ends_with(" HTTP/1.1"), "{line}");
    let host = receiver.address.strip_prefix("http://").unwrap().strip_suffix("/wechat").unwrap();
    let length = attempt["body"]["bytes"].to_string();
    assert_eq!(
        attempt["request"]["headers"],
        json!([
            ["Host", host],
            ["User-Agent", "Mozilla/4.0"],
            ["Content-Type", "text/xml"],
            ["Content-Length", length]
        ])
    );
    let sealed = attempt["body"]["text"].as_str().unwrap();
    assert!(sealed.starts_with("<xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>\n<Encrypt><![CDATA["));
    assert_eq!(attempt["answer"]["head"]["line"], "HTTP/1.1 200 OK");
    assert!(attempt["answer"]["body"]["text"].as_str().unwrap().contains("<Encrypt>"));
    let opened = attempt["answer"]["opened"]["text"].as_str().unwrap();
    assert!(opened.contains("<Content><![CDATA[You said: hi <b>]]></Content>"), "{opened}");
    assert_eq!(receiver.seen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_comes_until_it_has_its_code() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    let goods = json!({ "push": { "kind": "xpay_goods_deliver_notify" } });
    let outcome = async |id: usize| {
        simulator.wait_for(u64::try_from(id).unwrap()).await;
        let push = simulator.state().await["pushes"][id - 1].clone();
        let attempts = push["attempts"].as_array().unwrap().len();
        let outcome = &push["outcome"];
        let told = [&outcome["tone"], &outcome["shown"], &outcome["verdict"]["en"]];
        let told = told.map(|text| text.as_str().unwrap().to_owned());
        (push["takes"].clone(), attempts, told)
    };
    simulator.post("/api/acts", &goods).await;
    assert_eq!(
        outcome(1).await,
        (json!("code"), 1, ["quiet", "done", "WeChat shows nothing, as asked"].map(str::to_owned))
    );
    receiver.break_it(true);
    simulator.post("/api/acts", &goods).await;
    let format = "WeChat gives up: the push and the answer are not both XML or both JSON";
    assert_eq!(outcome(2).await, (json!("code"), 16, ["bad", "given_up", format].map(str::to_owned)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_over_to_wechats_ai_is_shown_to_and_in_answer_to_messages_only() {
    struct Over;
    impl AsyncHandler for Over {
        async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            Ok(Reply::TransferBizAiIvr)
        }
    }
    let receiver = Receiver::plain_with(Over).await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    simulator.post("/api/acts", &json!({ "text": { "content": "hi" } })).await;
    simulator.wait_for(1).await;
    simulator.post("/api/acts", &json!({ "press": { "button": [0] } })).await;
    simulator.wait_for(2).await;
    let state = simulator.state().await;
    let told = |push: usize| ["tone", "shown", "verdict"].map(|name| state["pushes"][push]["outcome"][name].clone());
    let shown = json!({ "en": "WeChat shows the reply", "zh": "微信显示这条回复" });
    assert_eq!(told(0), [json!("good"), json!("biz_ai"), shown]);
    assert_eq!(told(1)[..2], ["quiet", "nothing"].map(|word| json!(word)));
    assert_eq!(told(1)[2]["en"], "WeChat shows nothing, as asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_act_becomes_the_push_that_wechat_makes_of_it() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    let event = |fields: &str| {
        format!(
            "<xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>\n\
             <FromUserName><![CDATA[oqi1rLPx-bJ18oxc49j8USAghBVe]]></FromUserName>\n\
             <CreateTime>0</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n{fields}</xml>"
        )
    };
    let message = |fields: &str| event(fields).replace("<![CDATA[event]]>", "<![CDATA[location]]>");

    let click = event("<Event><![CDATA[CLICK]]></Event>\n<EventKey><![CDATA[DISHES]]></EventKey>\n");
    assert_eq!(simulator.preview(json!({ "press": { "button": [0] } })).await, [click]);

    let set = json!([["ScanCodeInfo/ScanResult", "BILL-7"]]);
    let scanned = event(
        "<Event><![CDATA[scancode_waitmsg]]></Event>\n<EventKey><![CDATA[BILL]]></EventKey>\n\
         <ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType><ScanResult><![CDATA[BILL-7]]></ScanResult></ScanCodeInfo>\n",
    );
    assert_eq!(simulator.preview(json!({ "press": { "button": [1, 1], "set": set } })).await, [scanned]);

    let view = event(
        "<Event><![CDATA[VIEW]]></Event>\n<EventKey><![CDATA[https://example.com/]]></EventKey>\n\
         <MenuId>427188930</MenuId>\n",
    );
    assert_eq!(simulator.preview(json!({ "press": { "button": [2, 0] } })).await, [view]);

    // What was chosen follows as a message.
    let set = json!([["SendLocationInfo/Location_X", "1.5"], ["SendLocationInfo/Label", "Harbour"]]);
    let place = [
        event(
            "<Event><![CDATA[location_select]]></Event>\n<EventKey><![CDATA[DELIVER]]></EventKey>\n\
             <SendLocationInfo><Location_X><![CDATA[1.5]]></Location_X><Location_Y><![CDATA[113.321078]]></Location_Y>\
             <Scale><![CDATA[15]]></Scale><Label><![CDATA[Harbour]]></Label>\
             <Poiname><![CDATA[花城广场]]></Poiname></SendLocationInfo>\n",
        ),
        message(
            "<Location_X>1.5</Location_X>\n<Location_Y>113.321078</Location_Y>\n<Scale>15</Scale>\n\
             <Label><![CDATA[Harbour]]></Label>\n<MsgId>0</MsgId>\n",
        ),
    ];
    assert_eq!(simulator.preview(json!({ "press": { "button": [1, 4], "set": set } })).await, place);
    let pictures = simulator.preview(json!({ "press": { "button": [1, 3] } })).await;
    let types: Vec<_> = pictures.iter().map(|push| push.contains("<MsgType><![CDATA[image]]>")).collect();
    assert_eq!(types, [false, true, true], "the sample is of two pictures");

    let scan = simulator.preview(json!({ "scan": { "scene": "7" } })).await;
    assert!(scan[0].contains("<Event><![CDATA[SCAN]]></Event>\n<EventKey><![CDATA[7]]></EventKey>\n<Ticket>"));
    let plain = event("<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[]]></EventKey>\n");
    assert_eq!(simulator.preview(json!({ "follow": {} })).await, [plain]);

    let unknown = json!({ "push": { "kind": "brand_new", "set": [["Part/Color", "red"]] } });
    let unknown_event = event("<Event><![CDATA[brand_new]]></Event>\n<Part><Color><![CDATA[red]]></Color></Part>\n");
    assert_eq!(simulator.preview(unknown).await, [unknown_event]);
    let without = json!({ "push": { "kind": "VIEW", "set": [["EventKey", "x"]], "without": ["MenuId"] } });
    let view = event("<Event><![CDATA[VIEW]]></Event>\n<EventKey><![CDATA[x]]></EventKey>\n");
    assert_eq!(simulator.preview(without).await, [view]);
    // WeChat's own sender stays.
    let job = simulator.preview(json!({ "push": { "kind": "MASSSENDJOBFINISH" } })).await;
    assert!(job[0].contains("<FromUserName><![CDATA[mphelper]]></FromUserName>"), "{}", job[0]);
    assert_eq!(receiver.seen(), 0, "a preview pushes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_can_scan_and_follow_and_do_nothing_else() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    let follows = async || simulator.state().await["following"].clone();
    simulator.post("/api/acts", &json!({ "push": { "kind": "unsubscribe" } })).await;
    assert_eq!(follows().await, json!(false));
    let problem =
        json!({ "en": "you do not follow the account: follow it first", "zh": "你没有关注这个公众号，请先关注" });
    for refused in [json!({ "text": { "content": "hi" } }), json!({ "press": { "button": [0] } })] {
        let answer = simulator.post("/api/acts", &refused).await;
        assert_eq!((answer.status, answer.json()), (409, json!({ "problem": problem })));
    }
    let scan = simulator.preview(json!({ "scan": { "scene": "7" } })).await;
    let expected = "<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[qrscene_7]]></EventKey>\n<Ticket>";
    assert!(scan[0].contains(expected), "{}", scan[0]);
    simulator.post("/api/acts", &json!({ "scan": { "scene": "7" } })).await;
    assert_eq!(follows().await, json!(true));
    simulator.wait_for(2).await;
    assert_eq!(simulator.state().await["pushes"][1]["outcome"]["content"], "Welcome to table 7!");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_by_name() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    for (act, status, [en, zh]) in [
        (json!({ "press": { "button": [1] } }), 404, ["no button at [1]", "[1] 处没有按钮"]),
        (json!({ "press": { "button": [0, 0] } }), 404, ["no button at [0, 0]", "[0, 0] 处没有按钮"]),
        (json!({ "again": { "id": 9 } }), 404, ["push 9 is no longer kept", "第 9 条推送已不再保留"]),
    ] {
        let answer = simulator.post("/api/acts", &act).await;
        assert_eq!((answer.status, answer.json()), (status, json!({ "problem": { "en": en, "zh": zh } })), "{act}");
    }
    assert_eq!(simulator.post("/api/acts", &json!({ "blow": {} })).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_push_again_is_answered_again_and_handled_once() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    simulator.post("/api/acts", &json!({ "text": { "content": "number" } })).await;
    simulator.wait_for(1).await;
    simulator.post("/api/acts", &json!({ "again": { "id": 1 } })).await;
    simulator.wait_for(2).await;
    let state = simulator.state().await;
    let [one, two] = &state["pushes"].as_array().unwrap()[..] else { panic!("{state:#}") };
    assert_eq!(one["message"], two["message"]);
    assert_eq!((&one["outcome"]["content"], &two["outcome"]["content"]), (&json!("number 1"), &json!("number 1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_checked_as_the_console_does() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    simulator.post("/api/acts", &json!({ "check": {} })).await;
    simulator.wait_for(1).await;
    receiver.break_it(true);
    simulator.post("/api/acts", &json!({ "check": {} })).await;
    simulator.wait_for(2).await;
    let state = simulator.state().await;
    let shown = |index: usize| state["pushes"][index]["outcome"]["shown"].clone();
    assert_eq!((shown(0), shown(1)), (json!("confirmed"), json!("refused")));
    assert!(state["pushes"][0]["attempts"][0]["request"]["line"].as_str().unwrap().starts_with("GET /wechat?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_or_origin_is_refused_whatever_it_asks_for() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    let own = &simulator.host;
    let port = own.split_once(':').unwrap().1;
    let wrong_host = |host: &str| format!("Host is `{host}`, not `{own}`: this page is for this machine only\n");
    let wrong_origin =
        |origin: &str| format!("Origin is `{origin}`, not `http://{own}`: the request comes from another page\n");
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1", "127.0.0.1:1", ""] {
        for path in ["/", "/api/setup", "/api/changes"] {
            let answer = get(own, path, &[("host", host)]).await;
            assert_eq!((answer.status, answer.text()), (403, wrong_host(host)), "{path}");
        }
    }
    for origin in ["http://evil.example", "null", &format!("https://{own}"), "http://127.0.0.1:1"] {
        let answer = post(own, "/api/acts", &json!({ "check": {} }), &[("origin", origin)]).await;
        assert_eq!((answer.status, answer.text()), (403, wrong_origin(origin)));
    }
    // A form of another page's could be sent without asking; JSON cannot.
    let form = post(own, "/api/acts", &json!({ "check": {} }), &[("content-type", "text/plain")]).await;
    assert_eq!(form.status, 415);
    let localhost = format!("localhost:{port}");
    let origin = format!("http://{localhost}");
    let answer = post(own, "/api/clear", &json!({}), &[("host", &localhost), ("origin", &origin)]).await;
    assert_eq!(answer.status, 204);
    assert_eq!(receiver.seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_what_does_not_come_from_the_page_itself() {
    let receiver = Receiver::plain().await;
    let simulator = Simulator::start(&receiver.address, &receiver.options).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/words.json", "application/json"),
        ("/icon.svg", "image/svg+xml"),
        ("/api/setup", "application/json"),
        ("/no/such", ""),
    ] {
        let answer = get(&simulator.host, path, &[]).await;
        let header = |name: &str| answer.header(name);
        assert_eq!(header("content-type"), content_type, "{path}");
        let policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(header("content-security-policy"), policy);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
    }
    // Nothing that the policy would stop, and nothing from elsewhere.
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/chat/page")).unwrap() {
        let path = file.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for forbidden in ["style=\"", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import"] {
            assert!(!text.contains(forbidden), "{file} has {forbidden}");
        }
        assert!(!file.ends_with(".css") || !text.contains("url("), "{file} loads something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_names_the_account_and_never_its_secrets() {
    let receiver = Receiver::safe().await;
    let menu = std::env::temp_dir().join(format!("wechat-simulator-menu-{}.json", std::process::id()));
    std::fs::write(&menu, r#"{"button":[{"type":"click","name":"One","key":"ONE"}]}"#).unwrap();
    let mut options = receiver.options.clone();
    options.extend(["--name", "Tea", "--user", "o_me", "--menu", menu.to_str().unwrap()].map(str::to_owned));
    let simulator = Simulator::start(&receiver.address, &options).await;
    std::fs::remove_file(&menu).unwrap();
    let answer = get(&simulator.host, "/api/setup", &[]).await;
    for secret in [receiver::TOKEN, receiver::KEY] {
        assert!(!answer.text().contains(secret), "{secret}");
    }
    let mut setup = answer.json();
    let kinds = setup["kinds"].take();
    setup["run"] = Value::Null;
    assert_eq!(
        setup,
        json!({
            "run": null, "name": "Tea", "account_id": "gh_ebc88566ca2e", "user": "o_me",
            "target": receiver.address, "mode": "safe", "kinds": null,
            "menu": { "button": [{ "type": "click", "name": "One", "key": "ONE" }] },
        })
    );
    let scan = kinds.as_array().unwrap().iter().find(|kind| kind["name"] == "SCAN").unwrap();
    let ticket = scan["fields"][3]["value"].clone();
    assert_eq!(
        *scan,
        json!({
            "name": "SCAN", "variant": "Scan", "group": "Account", "takes_reply": true, "takes": "reply",
            "fields": [
                { "path": "ToUserName", "value": "gh_ebc88566ca2e" }, { "path": "FromUserName", "value": "o_me" },
                { "path": "EventKey", "value": "4294967295" }, { "path": "Ticket", "value": ticket },
            ],
        })
    );
    assert_eq!(kinds.as_array().unwrap().len(), wechat_events::event::KINDS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_has_many_pushes_at_once_but_not_any_number() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", silent.local_addr().unwrap());
    let simulator = Simulator::start(&address, &["--token".to_owned(), "t".to_owned()]).await;
    for id in 1..=64 {
        let answer = simulator.post("/api/acts", &json!({ "text": { "content": "hi" } })).await;
        assert_eq!((answer.status, answer.json()), (202, json!({ "ids": [id] })));
    }
    let one_more = simulator.post("/api/acts", &json!({ "text": { "content": "hi" } })).await;
    let problem = json!({ "problem": {
        "en": "64 pushes are under way: wait for some to end", "zh": "已有 64 条推送正在进行，请稍等",
    } });
    assert_eq!((one_more.status, one_more.json()), (429, problem));
    // All of them are sent, none waits for another.
    let mut connections = Vec::new();
    while connections.len() < 64 {
        let next = tokio::time::timeout(Duration::from_secs(4), silent.accept()).await;
        connections.push(next.expect("all 64 connect before the first is given up").unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_deliveries_to_nobody_end_in_the_fault_line() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let simulator = Simulator::start(&format!("http://{nobody}/"), &["--token".to_owned(), "t".to_owned()]).await;
    simulator.post("/api/acts", &json!({ "text": { "content": "hi" } })).await;
    simulator.wait_for(1).await;
    let push = simulator.state().await["pushes"][0].take();
    let refused = "no connection: Connection refused (os error 111)";
    let told = json!({
        "shown": "fault_line",
        "reason": refused,
        "verdict": {
            "en": format!("WeChat shows its fault line: {refused}"),
            "zh": format!("微信显示故障提示：{}", refused.replace("no connection: ", "无法连接：")),
        },
        "hint": {
            "en": "Nothing listens there: is the receiver running, and on that port?",
            "zh": "那里没有程序在监听：服务端启动了吗？端口对吗？",
        },
    });
    for (field, expected) in told.as_object().unwrap() {
        assert_eq!(push["outcome"][field], *expected);
    }
    let attempts = push["attempts"].as_array().unwrap();
    let sent: Vec<_> = attempts.iter().map(|attempt| attempt["sent"].as_u64().unwrap()).collect();
    for (sent, due) in sent.iter().zip([0, 5070, 10080]) {
        assert!((due..due + 400).contains(sent), "{sent} is due at {due}");
    }
    for attempt in attempts {
        let silence = attempt["silence"]["en"].as_str().unwrap();
        assert!(silence.starts_with("no connection: "), "{silence}");
        assert_eq!((&attempt["answer"], &attempt["outcome"]["tone"]), (&Value::Null, &json!("silent")));
    }
    assert_eq!(sent.len(), 3);
}

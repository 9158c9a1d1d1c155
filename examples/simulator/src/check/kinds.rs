//! Every kind of push.

use futures_util::future::join_all;
use wechat_events::event::{Group as Page, KINDS, KindInfo, Takes};
use wechat_events::testing::{Draft, Request, Verdict, WeChat};

use super::receiver::{Exchange, Receiver, xml};
use super::{ALL, Check, Group, Level, Outcome, fail, skip};
use crate::account::now;

const TAKEN: &str = "`success`, an empty body, or a reply where WeChat takes one";
const FAULT_LINE: &str = "the user sees the fault line (该公众号提供的服务出现故障), and you get an alarm";
const ALARM: &str = "WeChat counts the receiver as failing: you get an alarm, and after many a pause of a minute";

pub const CHECKS: &[Check] = &[
    of_page("kinds-message", "each kind of message", FAULT_LINE, |receiver| Box::pin(page(receiver, Page::Message))),
    of_page("kinds-account", "follow, unfollow, scan, location, menu clicks", FAULT_LINE, |receiver| {
        Box::pin(page(receiver, Page::Account))
    }),
    of_page("kinds-menu", "the events of the menu's special buttons", FAULT_LINE, |receiver| {
        Box::pin(page(receiver, Page::Menu))
    }),
    of_page("kinds-job", "the outcome of template, mass and subscription messages", ALARM, |receiver| {
        Box::pin(page(receiver, Page::Job))
    }),
    of_page("kinds-service", "customer service, shopping guides, revoked consent", ALARM, |receiver| {
        Box::pin(page(receiver, Page::Service))
    }),
    of_page("kinds-card", "cards, gift cards, invoices", ALARM, |receiver| Box::pin(page(receiver, Page::Card))),
    of_page("kinds-store", "stores, Wi-Fi, shake-around, product scan", ALARM, |receiver| {
        Box::pin(page(receiver, Page::Store))
    }),
    of_page("kinds-verification", "verification of the account", ALARM, |receiver| {
        Box::pin(page(receiver, Page::Verification))
    }),
    Check {
        level: Level::Should,
        means: "nothing, unless you run a third-party platform: then tickets and authorizations are lost",
        ..of_page("kinds-platform", "each event of a third-party platform (InfoType)", "", |receiver| {
            Box::pin(page(receiver, Page::Platform))
        })
    },
    Check {
        passes: "`success` or an empty body: an unknown event takes no reply",
        ..of_page("kinds-unknown-event", "an event that does not exist yet", ALARM, |receiver| {
            Box::pin(unknown_event(receiver))
        })
    },
    of_page("kinds-unknown-message", "a message type that does not exist yet", FAULT_LINE, |receiver| {
        Box::pin(unknown_message(receiver))
    }),
    Check {
        level: Level::Should,
        ..of_page("kinds-unknown-info-type", "an InfoType that does not exist yet", ALARM, |receiver| {
            Box::pin(unknown_info_type(receiver))
        })
    },
    of_page("kinds-other-case", "names in another case: scan, click, Text, MsgType Event", FAULT_LINE, |receiver| {
        Box::pin(other_case(receiver, false))
    }),
    Check {
        level: Level::Should,
        passes: "a reply where the usual case has one, and none where it has none",
        ..of_page(
            "kinds-other-case-same",
            "names in another case and in the usual one",
            "the push is treated as unknown: WeChat does not always write these names in the same case (observed)",
            |receiver| Box::pin(other_case(receiver, true)),
        )
    },
    of_page("kinds-missing-fields", "each kind with nothing but its header", FAULT_LINE, |receiver| {
        Box::pin(missing_fields(receiver))
    }),
    of_page("kinds-empty-fields", "each kind with all its fields empty, numbers too", FAULT_LINE, |receiver| {
        Box::pin(empty_fields(receiver))
    }),
    of_page("kinds-event-keys", "each form of the EventKey of subscribe and SCAN", FAULT_LINE, |receiver| {
        Box::pin(event_keys(receiver))
    }),
    of_page(
        "kinds-odd-values",
        "values that are not numbers, and names in other spellings (observed)",
        FAULT_LINE,
        |receiver| Box::pin(odd_values(receiver)),
    ),
    of_page("kinds-repeats", "lists with no item, with one, and as several elements", FAULT_LINE, |receiver| {
        Box::pin(repeats(receiver))
    }),
    of_page("kinds-no-name", "an event without Event, a push without MsgType", ALARM, |receiver| {
        Box::pin(no_name(receiver))
    }),
    Check {
        level: Level::Should,
        passes: "`success`; skipped where it is refused",
        ..of_page(
            "kinds-probe",
            "the unsigned probe of cloud hosting, CheckContainerPath",
            "cloud hosting (微信云托管) rejects the address; everyone else is right to refuse it",
            |receiver| Box::pin(probe(receiver)),
        )
    },
];

const fn of_page(
    id: &'static str,
    sends: &'static str,
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> super::Running<'r>,
) -> Check {
    Check { id, group: Group::Kinds, level: Level::Must, modes: ALL, sends, passes: TAKEN, means, run }
}

/// Fails unless WeChat takes the answer to each; each has a name by which to tell it.
pub async fn all_taken(receiver: &Receiver, requests: impl IntoIterator<Item = (String, Request)>) -> Outcome {
    match told(&exchanges(receiver, requests).await, |exchange| !exchange.is_taken()) {
        None => Ok(String::new()),
        Some(seen) => fail(seen),
    }
}

/// Sends each, which has a name by which to tell it.
pub async fn exchanges(
    receiver: &Receiver,
    requests: impl IntoIterator<Item = (String, Request)>,
) -> Vec<(String, Exchange)> {
    let (names, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
    let exchanges = join_all(requests.into_iter().map(|request| receiver.exchange(request))).await;
    names.into_iter().zip(exchanges).collect()
}

/// What was seen of the bad ones, if there are any; those that are bad in the same way are reported together.
pub fn told(exchanges: &[(String, Exchange)], is_bad: impl Fn(&Exchange) -> bool) -> Option<String> {
    let mut bad: Vec<(Option<u16>, &Verdict, Vec<&str>, &Exchange)> = Vec::new();
    for (name, exchange) in exchanges.iter().filter(|(_, exchange)| is_bad(exchange)) {
        let status = exchange.came.as_ref().ok().map(|answered| answered.status);
        // Reasons that name the kind differ by that alone.
        let is_alike = |verdict: &Verdict, as_name: &str| {
            verdict.to_string().replace(as_name, "") == exchange.verdict.to_string().replace(&**name, "")
        };
        match bad.iter_mut().find(|(as_status, verdict, alike, _)| {
            *as_status == status && alike.first().is_some_and(|as_name| is_alike(verdict, as_name))
        }) {
            Some((_, _, alike, _)) => alike.push(name),
            None => bad.push((status, &exchange.verdict, vec![name], exchange)),
        }
    }
    let lines = bad.iter().map(|(_, _, alike, first)| format!("{}: {}", alike.join(", "), first.seen()));
    (!bad.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
}

/// Who pushes a kind: WeChat to the account, or to the component.
fn sender<'r>(receiver: &'r Receiver, kind: &KindInfo) -> &'r WeChat {
    if kind.named_by() == "InfoType" { &receiver.component } else { &receiver.wechat }
}

/// What WeChat pushes to accounts, but for payments: those want another answer than `success`, and have checks of their
/// own.
fn to_accounts() -> impl Iterator<Item = &'static KindInfo> {
    let answered = |kind: &&KindInfo| matches!(kind.takes(), Takes::Reply | Takes::Success);
    KINDS.iter().filter(|kind| kind.named_by() != "InfoType").filter(answered)
}

async fn page(receiver: &Receiver, page: Page) -> Outcome {
    let kinds = KINDS.iter().filter(|kind| kind.group() == page);
    let requests = kinds.map(|kind| {
        let draft = match kind.named_by() {
            "InfoType" => receiver.component.push_unknown(kind.name()),
            _ => receiver.push(kind.name()),
        };
        (kind.name().to_owned(), draft.request(now()))
    });
    all_taken(receiver, requests).await
}

async fn unknown_event(receiver: &Receiver) -> Outcome {
    let plain = receiver.push("brand_new_event");
    let nested = receiver.push("brand_new_event").set("Part/Color", "red").set("Part/Size", "");
    let requests = [plain, nested].map(|draft| ("brand_new_event".to_owned(), draft.request(now())));
    all_taken(receiver, requests).await
}

async fn unknown_message(receiver: &Receiver) -> Outcome {
    let draft = receiver.text("hello").set("MsgType", "brand_new_type").set("Part/Color", "red");
    all_taken(receiver, [("brand_new_type".to_owned(), draft.request(now()))]).await
}

async fn unknown_info_type(receiver: &Receiver) -> Outcome {
    let app_id = receiver.app_id();
    let created = now().to_string();
    let push = xml(&[("AppId", app_id), ("CreateTime", &created), ("InfoType", "brand_new_info")]);
    let request = receiver.component.raw(push).request(now());
    all_taken(receiver, [("brand_new_info".to_owned(), request)]).await
}

async fn other_case(receiver: &Receiver, same: bool) -> Outcome {
    let pairs = [
        ("SCAN", "Event", "scan"),
        ("SCAN", "MsgType", "Event"),
        ("CLICK", "Event", "click"),
        ("subscribe", "Event", "Subscribe"),
        ("unsubscribe", "Event", "UNSUBSCRIBE"),
        ("text", "MsgType", "Text"),
    ];
    let push = |name: &str| receiver.push(name).set("EventKey", "7");
    if !same {
        let requests =
            pairs.map(|(name, element, other)| (other.to_owned(), push(name).set(element, other).request(now())));
        return all_taken(receiver, requests).await;
    }
    receiver.needs_genuine()?;
    for (name, element, other) in pairs {
        let usual = receiver.exchange(push(name).request(now())).await;
        let unusual = receiver.exchange(push(name).set(element, other).request(now())).await;
        let replied = |verdict: &Verdict| matches!(verdict, Verdict::Accepted(_));
        if replied(&usual.verdict) != replied(&unusual.verdict) {
            return fail(format!("{name}: {}\n{other}: {}", usual.seen(), unusual.seen()));
        }
    }
    Ok(String::new())
}

async fn missing_fields(receiver: &Receiver) -> Outcome {
    let requests = to_accounts().map(|kind| (kind.name().to_owned(), bare(receiver, kind).request(now())));
    all_taken(receiver, requests).await
}

/// A kind with nothing but its header, from a new user.
pub fn bare<'r>(receiver: &'r Receiver, kind: &KindInfo) -> Draft<'r> {
    let (created, user) = (now().to_string(), receiver.user());
    let mut fields = vec![("ToUserName", "gh_ebc88566ca2e"), ("FromUserName", &*user), ("CreateTime", &*created)];
    match kind.named_by() {
        "Event" => fields.extend([("MsgType", "event"), ("Event", kind.name())]),
        element => fields.push((element, kind.name())),
    }
    sender(receiver, kind).raw(xml(&fields))
}

async fn empty_fields(receiver: &Receiver) -> Outcome {
    let requests = to_accounts().map(|kind| {
        // Of two spellings, `Msg|msg`, the first.
        let paths = kind.fields();
        let paths = paths.iter().filter_map(|path| path.split('|').next());
        let draft = paths.fold(receiver.push(kind.name()), |draft, path| draft.set(path, ""));
        (kind.name().to_owned(), draft.request(now()))
    });
    all_taken(receiver, requests).await
}

async fn event_keys(receiver: &Receiver) -> Outcome {
    let longest = "s".repeat(64);
    let keys = [
        ("subscribe", ""),
        ("subscribe", "qrscene_123123"),
        ("subscribe", "qrscene_qrscene_1"),
        ("subscribe", "last_trade_no_4206001234"),
        ("subscribe", "scanbarcode|6|6923450657713|5571"),
        ("subscribe", "scanimage|2|1|9"),
        ("unsubscribe", ""),
        ("SCAN", "4294967295"),
        ("SCAN", "0123"),
        ("SCAN", "table=7&guest=2"),
        ("SCAN", &*longest),
    ];
    let requests =
        keys.map(|(name, key)| (format!("{name} {key}"), receiver.push(name).set("EventKey", key).request(now())));
    all_taken(receiver, requests).await
}

/// A push from a new user with these elements behind its header.
fn with_elements(receiver: &Receiver, elements: &str) -> Request {
    let (user, created) = (receiver.user(), now().to_string());
    let header = xml(&[("ToUserName", "gh_ebc88566ca2e"), ("FromUserName", &*user), ("CreateTime", &*created)]);
    receiver.wechat.raw(header.replace("</xml>", &format!("{elements}</xml>"))).request(now())
}

fn event(receiver: &Receiver, name: &str, elements: &str) -> (String, Request) {
    let elements = format!("<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>{elements}");
    (name.to_owned(), with_elements(receiver, &elements))
}

async fn odd_values(receiver: &Receiver) -> Outcome {
    let place = "<MsgType>location</MsgType><Location_X>31.2</Location_X><Location_Y>121.4</Location_Y>\
                 <Scale>15.5</Scale><Label></Label>";
    let requests = [
        event(receiver, "VIEW", "<EventKey><![CDATA[http://example.com/]]></EventKey><MenuId>MENUID</MenuId>"),
        ("location".to_owned(), with_elements(receiver, place)),
        event(receiver, "LOCATION", "<Latitude>23.1</Latitude><Longitude>113.3</Longitude><Precision>near</Precision>"),
        event(receiver, "poi_check_notify", "<UniqId>1</UniqId><PoiId>2</PoiId><Result>fail</Result><msg>no</msg>"),
        event(receiver, "user_info_modified", "<openid>o_1</openid><appid>wx5823bf96d3bd56c7</appid>"),
        event(receiver, "MASSSENDJOBFINISH", "<MsgID>1000001625</MsgID><Status>err(10001)</Status>"),
    ];
    all_taken(receiver, requests).await
}

async fn repeats(receiver: &Receiver) -> Outcome {
    let item = "<item><PicMd5Sum><![CDATA[dc22fb7cec20f4cc76a307d9dfeb63b2]]></PicMd5Sum></item>";
    let pictures = |count: usize, lists: &str| {
        let info = format!("<EventKey>ALBUM</EventKey><SendPicsInfo><Count>{count}</Count>{lists}</SendPicsInfo>");
        event(receiver, "pic_weixin", &info)
    };
    let popup = "<List><TemplateId>t</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>";
    let requests = [
        pictures(0, "<PicList></PicList>"),
        pictures(0, ""),
        pictures(1, &format!("<PicList>{item}</PicList>")),
        pictures(2, &format!("<PicList>{item}{item}</PicList>")),
        pictures(2, &format!("<PicList>{item}</PicList><PicList>{item}</PicList>")),
        event(receiver, "subscribe_msg_popup_event", "<SubscribeMsgPopupEvent></SubscribeMsgPopupEvent>"),
        event(receiver, "subscribe_msg_popup_event", &format!("{popup}{popup}")),
    ];
    all_taken(receiver, requests).await
}

async fn no_name(receiver: &Receiver) -> Outcome {
    let created = now().to_string();
    let requests = [vec![("MsgType", "event")], vec![]].map(|name| {
        let user = receiver.user();
        let mut fields = vec![("ToUserName", "gh_ebc88566ca2e"), ("FromUserName", &*user), ("CreateTime", &*created)];
        let shown = if name.is_empty() { "no MsgType" } else { "no Event" };
        fields.extend(name);
        (shown.to_owned(), receiver.wechat.raw(xml(&fields)).request(now()))
    });
    all_taken(receiver, requests).await
}

/// What cloud hosting asks before it sends anything else.
const PROBE: &str = "<xml><action>CheckContainerPath</action></xml>";

async fn probe(receiver: &Receiver) -> Outcome {
    let mut request = receiver.push("text").request(now());
    request.query = String::new();
    request.body = PROBE.into();
    let exchange = receiver.exchange(request).await;
    match &exchange.came {
        Ok(answered) if answered.status == 200 && answered.body == b"success" => Ok(String::new()),
        Ok(answered) if answered.status < 500 => {
            skip(format!("the receiver is not for cloud hosting: {}", exchange.seen()))
        }
        _ => fail(exchange.seen()),
    }
}

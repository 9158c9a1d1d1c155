//! What is counted, to the number.

use std::error::Error;
use std::time::Duration;

use tokio::time::sleep;
use tracing_subscriber::prelude::*;
use wechat_events::event::Text;
use wechat_events::testing::WeChat;
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};

use crate::metrics;

/// «6» is answered after 6 s, anything else never.
struct Slow;

impl AsyncHandler for Slow {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        sleep(Duration::from_secs(text.content.parse()?)).await;
        Ok(Reply::text("at last"))
    }

    async fn late(&self, _: &Event<'_>, _: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

/// One push after the other, as WeChat delivers each, and two requests that are none of WeChat's.
async fn play() {
    let webhook = Webhook::new(Endpoint::plain("token").unwrap(), Slow);
    let wechat = WeChat::plain("token").unwrap().seed(1);
    for content in ["0", "6", "20", "broken"] {
        wechat.push("text").set("Content", content).send(&webhook).await;
        // Until the last reply has come too late.
        sleep(Duration::from_secs(30)).await;
    }
    webhook.call("POST", "signature=0&timestamp=1&nonce=2", b"<xml/>").await;
    webhook.call("POST", "timestamp=1&nonce=2", b"<xml/>").await;
}

#[test]
fn every_delivery_run_late_reply_and_refusal_is_counted_once() {
    let recorder = metrics::recorder().unwrap();
    let subscriber = tracing_subscriber::registry().with(metrics::layer());
    ::metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_time().start_paused(true).build().unwrap().block_on(play());
        });
    });
    let page = recorder.handle().render();
    let mut lines: Vec<_> = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    lines.sort_unstable();
    let expected = [
        // «20», which is late, by its third.
        r#"wechat_deliveries_total{outcome="acknowledged"} 1"#,
        // «0» by its first and «6» by its second.
        r#"wechat_deliveries_total{outcome="answered"} 2"#,
        // «broken» by its third.
        r#"wechat_deliveries_total{outcome="failed"} 1"#,
        // The deliveries before those.
        r#"wechat_deliveries_total{outcome="gone"} 5"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="+Inf"} 3"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="0.01"} 3"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="0.1"} 3"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="1"} 3"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="15"} 3"#,
        r#"wechat_handler_seconds_bucket{result="failed",le="5"} 3"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="+Inf"} 3"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="0.01"} 1"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="0.1"} 1"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="1"} 1"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="15"} 2"#,
        r#"wechat_handler_seconds_bucket{result="replied",le="5"} 1"#,
        r#"wechat_handler_seconds_count{result="failed"} 3"#,
        r#"wechat_handler_seconds_count{result="replied"} 3"#,
        r#"wechat_handler_seconds_sum{result="failed"} 0"#,
        r#"wechat_handler_seconds_sum{result="replied"} 26"#,
        // «6» by its second, «20» by its second and third.
        "wechat_joined_total 3",
        "wechat_late_total 1",
        r#"wechat_refused_total{error="MissingParameter"} 1"#,
        r#"wechat_refused_total{error="Signature"} 1"#,
    ];
    assert_eq!(lines, expected, "{page}");
}

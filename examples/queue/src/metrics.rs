//! What the crate tells `tracing`, as numbers for Prometheus.

use std::collections::HashMap;
use std::fmt::Debug;

use metrics::{counter, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use tracing::field::{Field, Visit};
use tracing::span::{Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Add it beside the layer that prints your logs: it has its own filter.
pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>() -> impl Layer<S> {
    Numbers.with_filter(Targets::new().with_target("wechat_events", LevelFilter::DEBUG))
}

/// Keeps the numbers; its handle renders them.
pub fn recorder() -> Result<PrometheusRecorder, BuildError> {
    Ok(PrometheusBuilder::new().set_buckets(&[0.01, 0.1, 1.0, 5.0, 15.0])?.build_recorder())
}

struct Numbers;

impl<S: Subscriber> Layer<S> for Numbers {
    /// From the span of a delivery: how it ended, and whether it joined.
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(outcome) = fields.0.remove("outcome") {
            counter!("wechat_deliveries_total", "outcome" => outcome).increment(1);
        }
        if fields.0.contains_key("joined") {
            counter!("wechat_joined_total").increment(1);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut field = |name| fields.0.remove(name).unwrap_or_default();
        match event.metadata().name() {
            "wechat_refused" => counter!("wechat_refused_total", "error" => field("error")).increment(1),
            "wechat_late" => counter!("wechat_late_total").increment(1),
            "wechat_run" => {
                let seconds: f64 = field("seconds").parse().unwrap_or_default();
                histogram!("wechat_handler_seconds", "result" => field("result")).record(seconds);
            }
            _ => {}
        }
    }
}

/// Fields by name, as text.
#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

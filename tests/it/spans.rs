//! A collector of spans and events: their fields, and where each span is entered.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

#[derive(Clone, Default)]
pub struct Spans(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// In the order in which they were opened; the first has the number 1.
    spans: Vec<Span>,
    /// The numbers of the spans that a thread is within.
    within: HashMap<ThreadId, Vec<u64>>,
    /// Each with its name and its fields.
    events: Vec<String>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    fields: Fields,
    /// Number of handles to it; 0 when it is closed.
    handles: usize,
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Spans {
    /// Runs some work and collects its spans, from this thread, or from another one that enters the span.
    pub fn of<T>(&self, what: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(self.clone(), what)
    }

    /// All spans so far, each with its fields, when all are closed.
    pub fn lines(&self) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let seen = self.0.lock().unwrap();
            if seen.spans.iter().all(|span| span.handles == 0) {
                return seen.spans.iter().map(|span| format!("{}{}", span.metadata.name(), span.fields.0)).collect();
            }
            drop(seen);
            assert!(begun.elapsed() < Duration::from_secs(30), "a span is not closed");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// All events so far.
    pub fn events(&self) -> Vec<String> {
        self.0.lock().unwrap().events.clone()
    }

    /// The numbers of the spans that this thread is within.
    pub fn within(&self) -> Vec<u64> {
        self.0.lock().unwrap().within.get(&thread::current().id()).cloned().unwrap_or_default()
    }

    fn change<T>(&self, id: &Id, change: impl FnOnce(&mut Span) -> T) -> T {
        let at = usize::try_from(id.into_u64() - 1).unwrap();
        change(&mut self.0.lock().unwrap().spans[at])
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let spans = &mut self.0.lock().unwrap().spans;
        spans.push(Span { metadata: span.metadata(), fields, handles: 1 });
        Id::from_u64(u64::try_from(spans.len()).unwrap())
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.change(id, |span| values.record(&mut span.fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let name = event.metadata().name();
        self.0.lock().unwrap().events.push(format!("{name}{}", fields.0));
    }

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().within.entry(thread::current().id()).or_default().push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        let left = self.0.lock().unwrap().within.get_mut(&thread::current().id()).and_then(Vec::pop);
        assert_eq!(left, Some(id.into_u64()));
    }

    fn current_span(&self) -> Current {
        match self.within().last() {
            None => Current::none(),
            Some(number) => {
                let id = Id::from_u64(*number);
                let metadata = self.change(&id, |span| span.metadata);
                Current::new(id, metadata)
            }
        }
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.change(id, |span| span.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.change(&id, |span| {
            span.handles -= 1;
            span.handles == 0
        })
    }
}

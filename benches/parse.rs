//! Parsing bytes to a typed event, compared with other ways to get the same fields.
//!
//! `cargo bench --bench parse`. Baselines in the same run: `roxmltree` and `quick-xml` parse and pick the same fields.
//! `floor` reads no field: it asks memchr for each `<`, one after the other, and std whether the bytes are UTF-8. It is a
//! yardstick, not a lower bound: `parse_event` checks the UTF-8 of a long text faster than std does.

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wechat_events::parse_event;

mod inputs;
use inputs::{each, mix};

/// The header, and all fields of these kinds.
#[derive(Default)]
struct Picked<'a> {
    to_user: Cow<'a, str>,
    from_user: Cow<'a, str>,
    create_time: i64,
    msg_type: Cow<'a, str>,
    event: Option<Cow<'a, str>>,
    event_key: Option<Cow<'a, str>>,
    ticket: Option<Cow<'a, str>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    precision: Option<f64>,
    menu_id: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    pic_url: Option<Cow<'a, str>>,
    media_id: Option<Cow<'a, str>>,
    msg_id: Option<Cow<'a, str>>,
}

impl<'a> Picked<'a> {
    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        match name {
            "ToUserName" => self.to_user = value,
            "FromUserName" => self.from_user = value,
            "CreateTime" => self.create_time = value.parse().unwrap(),
            "MsgType" => self.msg_type = value,
            "Event" => self.event = Some(value),
            "EventKey" => self.event_key = Some(value),
            "Ticket" => self.ticket = Some(value),
            "Latitude" => self.latitude = value.parse().ok(),
            "Longitude" => self.longitude = value.parse().ok(),
            "Precision" => self.precision = value.parse().ok(),
            "MenuId" => self.menu_id = Some(value),
            "Status" => self.status = Some(value),
            "Content" => self.content = Some(value),
            "PicUrl" => self.pic_url = Some(value),
            "MediaId" => self.media_id = Some(value),
            "MsgId" | "MsgID" => self.msg_id = Some(value),
            _ => {}
        }
    }
}

/// Keeps the document that the picked fields borrow from, like a service that goes on using them.
fn roxmltree<R>(body: &[u8], then: impl FnOnce(&Picked<'_>) -> R) -> R {
    let document = roxmltree::Document::parse(std::str::from_utf8(body).unwrap()).unwrap();
    let mut picked = Picked::default();
    for element in document.root_element().children().filter(roxmltree::Node::is_element) {
        picked.set(element.tag_name().name(), Cow::Borrowed(element.text().unwrap_or_default()));
    }
    then(&picked)
}

fn quick_xml(body: &[u8]) -> Picked<'_> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(body).unwrap());
    let mut picked = Picked::default();
    let mut name = String::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                name.clear();
                name.push_str(tag.name().as_ref());
            }
            Event::CData(cdata) => picked.set(&name, cdata.into_inner()),
            Event::Text(text) if !text.trim().is_empty() => picked.set(&name, text.into_inner()),
            Event::End(_) => name.clear(),
            Event::Eof => return picked,
            _ => {}
        }
    }
}

fn floor(body: &[u8]) -> usize {
    std::str::from_utf8(body).unwrap();
    memchr::memchr_iter(b'<', body).fold(0, |sum, at| sum ^ at)
}

fn parse(criterion: &mut Criterion) {
    let mut cases: Vec<(&str, Vec<Vec<u8>>)> = each().into_iter().map(|(name, body)| (name, vec![body])).collect();
    cases.push(("mix", mix(256)));
    for (name, bodies) in &cases {
        let mut group = criterion.benchmark_group(format!("parse/{name}"));
        group.throughput(Throughput::Elements(bodies.len() as u64));
        // Whole rounds over the bodies, so that no body is read twice in a row.
        let mut run = |name: &str, read: &mut dyn FnMut(&[u8])| {
            group.bench_function(name, |bencher| {
                bencher.iter_batched_ref(
                    || (),
                    |()| {
                        for body in bodies {
                            read(black_box(body));
                        }
                    },
                    BatchSize::NumIterations(64),
                );
            });
        };
        run("parse_event", &mut |body| drop(black_box(parse_event(body))));
        run("roxmltree", &mut |body| {
            roxmltree(body, |picked| {
                black_box(picked);
            })
        });
        run("quick-xml", &mut |body| drop(black_box(quick_xml(body))));
        run("floor", &mut |body| {
            black_box(floor(body));
        });
        group.finish();
    }
}

criterion_group!(benches, parse);
criterion_main!(benches);

//! Which method gets which push: both traits, every kind.

use std::error::Error;
use std::fs;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wechat_events::{
    AsyncHandler, Dedup, Endpoint, Event, Handler, HandlerResult, Push, Reply, Response, event, parse_event,
};

use crate::{files, snake};

/// The result of a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Answers with the name of the method that was called.
struct Named;

/// Does nothing.
struct Default_;

/// Answers with the name of the kind, from `otherwise` alone.
struct Otherwise;

macro_rules! named {
    ($($method:ident: $kind:ident,)*) => {
        const METHODS: &[&str] = &[$(stringify!($method)),*];

        impl Handler for Named {
            $(
                fn $method(&self, _: &Event<'_>, _: &event::$kind<'_>) -> HandlerResult {
                    Ok(Reply::text(stringify!($method)))
                }
            )*
            fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
                Ok(Reply::text("otherwise"))
            }
            fn late(&self, _: &Event<'_>, _: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
                Err("late".into())
            }
        }

        impl AsyncHandler for Named {
            $(
                async fn $method(&self, _: &Event<'_>, _: &event::$kind<'_>) -> HandlerResult {
                    Ok(Reply::text(stringify!($method)))
                }
            )*
            async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
                Ok(Reply::text("otherwise"))
            }
            async fn late(&self, _: &Event<'_>, _: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
                Err("late".into())
            }
        }
    };
}
named! {
    text: Text, image: Image, voice: Voice, video: Video, short_video: ShortVideo, location_message: LocationMessage,
    link: Link, file: File, miniprogram_page: MiniprogramPage,
    subscribe: Subscribe, unsubscribe: Unsubscribe, scan: Scan, location: Location, click: Click, view: View,
    enter: Enter, user_enter_tempsession: UserEnterTempsession,
    scancode_push: ScancodePush, scancode_waitmsg: ScancodeWaitmsg, pic_sysphoto: PicSysphoto,
    pic_photo_or_album: PicPhotoOrAlbum, pic_weixin: PicWeixin, location_select: LocationSelect,
    view_miniprogram: ViewMiniprogram,
}

impl Handler for Default_ {}
impl AsyncHandler for Default_ {}

impl Handler for Otherwise {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        Ok(Reply::text(event.name()))
    }
}

impl AsyncHandler for Otherwise {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        Ok(Reply::text(event.name()))
    }
}

#[test]
fn each_push_reaches_the_method_of_its_kind_or_otherwise_in_both_traits() {
    let mut reached = std::collections::BTreeSet::new();
    for (name, path) in files("pushes", "xml") {
        let body = fs::read(path).unwrap();
        let event = parse_event(&body).unwrap();
        let kind = format!("{:?}", event.kind);
        let kind = snake(kind.split(['(', ' ']).next().unwrap());
        let method = METHODS.iter().find(|method| **method == kind).copied().unwrap_or("otherwise");
        reached.insert(method);
        assert_eq!(event.dispatch(&Named).unwrap(), Reply::text(method), "{name}");
        assert_eq!(now(event.dispatch_async(&Named)).unwrap(), Reply::text(method), "{name}");

        // Pointers hand on every method.
        assert_eq!(event.dispatch(&&Named).unwrap(), Reply::text(method), "{name}");
        assert_eq!(now(event.dispatch_async(&&Named)).unwrap(), Reply::text(method), "{name}");
        let shared: Arc<dyn Handler + Send + Sync> = Arc::new(Named);
        assert_eq!(event.dispatch(&shared).unwrap(), Reply::text(method), "{name}");
        assert_eq!(now(event.dispatch_async(&Arc::new(Named))).unwrap(), Reply::text(method), "{name}");
        let boxed: Box<dyn Handler> = Box::new(Named);
        assert_eq!(event.dispatch(&boxed).unwrap(), Reply::text(method), "{name}");
        assert_eq!(now(event.dispatch_async(&Box::new(Named))).unwrap(), Reply::text(method), "{name}");

        assert_eq!(event.dispatch(&Default_).unwrap(), Reply::Success, "{name}");
        assert_eq!(now(event.dispatch_async(&Default_)).unwrap(), Reply::Success, "{name}");
        let object: &dyn Handler = &Otherwise;
        assert_eq!(event.dispatch(object).unwrap(), Reply::text(event.name()), "{name}");
        assert_eq!(now(event.dispatch_async(&Otherwise)).unwrap(), Reply::text(event.name()), "{name}");
    }
    assert_eq!(reached.len(), METHODS.len() + 1, "every method was reached");
}

#[test]
fn pointers_hand_on_late_and_the_default_says_that_there_is_no_method() {
    let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>").unwrap();
    let reply = Reply::text("hi");
    let shared: Arc<dyn Handler + Send + Sync> = Arc::new(Named);
    let boxed: Box<dyn Handler> = Box::new(Named);
    for told in [
        Handler::late(&&Named, &event, &reply),
        shared.late(&event, &reply),
        boxed.late(&event, &reply),
        now(AsyncHandler::late(&&Named, &event, &reply)),
        now(AsyncHandler::late(&Arc::new(Named), &event, &reply)),
        now(AsyncHandler::late(&Box::new(Named), &event, &reply)),
    ] {
        assert_eq!(told.unwrap_err().to_string(), "late");
    }
    for told in [Handler::late(&Default_, &event, &reply), now(AsyncHandler::late(&Default_, &event, &reply))] {
        assert_eq!(told.unwrap_err().to_string(), "the handler has no method for it");
    }
}

#[test]
fn what_crosses_threads_can() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Event<'static>>();
    crosses::<Endpoint>();
    crosses::<Push<'static>>();
    crosses::<Response>();
    crosses::<Reply>();
    crosses::<Dedup>();
    fn is_send<F: Future + Send>(_: F) {}
    let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>").unwrap();
    is_send(event.dispatch_async(&Named));
}

//! What do we say? The user's code: methods for the usual kinds and one for the others, each with a default.

use std::error::Error;
use std::future::Future;

use crate::event::{self, Event, Kind};
use crate::reply::Reply;

/// What a handler makes of a push.
///
/// `Err` means «not handled: another delivery may try again».
pub type HandlerResult = Result<Reply, Box<dyn Error + Send + Sync>>;

macro_rules! handlers {
    ($($(#[$doc:meta])* $method:ident($kind:ident);)*) => {
        /// What to do with each kind of push, and what to answer.
        ///
        /// Every method has a default, which forwards to [`otherwise`](Handler::otherwise), whose default answers
        /// [`Reply::Success`]: implement what the account needs. The kinds without a method of their own arrive in
        /// `otherwise`, typed, as [`Event::kind`].
        ///
        /// ```
        /// use wechat_events::event::{Subscribe, Text};
        /// use wechat_events::{Event, Handler, HandlerResult, Reply, parse_event};
        ///
        /// struct Greeter;
        ///
        /// impl Handler for Greeter {
        ///     fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        ///         Ok(Reply::text(format!("Welcome, from {}", subscribe.scene().unwrap_or("nowhere"))))
        ///     }
        ///
        ///     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        ///         Ok(Reply::text(format!("You said {}", text.content)))
        ///     }
        /// }
        ///
        /// let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>")?;
        /// assert_eq!(event.dispatch(&Greeter)?, Reply::text("You said hi"));
        /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        /// ```
        ///
        /// # Example: a wrapper around any handler
        /// Since everything else forwards to it, `otherwise` alone makes a wrapper:
        /// ```
        /// use wechat_events::{Event, Handler, HandlerResult, Reply, parse_event};
        ///
        /// struct Logged<H>(H);
        ///
        /// impl<H: Handler> Handler for Logged<H> {
        ///     fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        ///         eprintln!("{} from {}", event.name(), event.from_user);
        ///         event.dispatch(&self.0)
        ///     }
        /// }
        /// # struct Nothing;
        /// # impl Handler for Nothing {}
        /// # let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>")?;
        /// # assert_eq!(event.dispatch(&Logged(Nothing))?, Reply::Success);
        /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        /// ```
        pub trait Handler {
            $(
                $(#[$doc])*
                ///
                /// The default forwards to [`otherwise`](Handler::otherwise).
                ///
                /// # Errors
                /// Whatever the implementation cannot handle now.
                fn $method(&self, event: &Event<'_>, $method: &event::$kind<'_>) -> HandlerResult {
                    let _ = $method;
                    self.otherwise(event)
                }
            )*
            /// Every kind whose method is not implemented, and every kind without one.
            ///
            /// The default answers [`Reply::Success`].
            ///
            /// # Errors
            /// Whatever the implementation cannot handle now.
            fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
                let _ = event;
                Ok(Reply::Success)
            }
        }

        /// [`Handler`] for those who wait: the same methods with futures that are `Send`.
        ///
        /// Implement the methods as plain `async fn`. Needs no particular runtime.
        ///
        /// ```
        /// use wechat_events::event::Text;
        /// use wechat_events::{AsyncHandler, Event, HandlerResult, Reply, parse_event};
        ///
        /// struct Echo;
        ///
        /// impl AsyncHandler for Echo {
        ///     async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        ///         std::future::ready(()).await;
        ///         Ok(Reply::text(&*text.content))
        ///     }
        /// }
        ///
        /// let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>")?;
        /// let mut answer = std::pin::pin!(event.dispatch_async(&Echo));
        /// let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        /// let std::task::Poll::Ready(reply) = answer.as_mut().poll(&mut context) else { panic!() };
        /// assert_eq!(reply?, Reply::text("hi"));
        /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        /// ```
        pub trait AsyncHandler: Send + Sync {
            $(
                $(#[$doc])*
                ///
                /// The default forwards to [`otherwise`](AsyncHandler::otherwise).
                fn $method(
                    &self,
                    event: &Event<'_>,
                    $method: &event::$kind<'_>,
                ) -> impl Future<Output = HandlerResult> + Send {
                    let _ = $method;
                    self.otherwise(event)
                }
            )*
            /// Every kind whose method is not implemented, and every kind without one.
            ///
            /// The default answers [`Reply::Success`].
            fn otherwise(&self, event: &Event<'_>) -> impl Future<Output = HandlerResult> + Send {
                let _ = event;
                std::future::ready(Ok(Reply::Success))
            }
        }

        impl Event<'_> {
            /// Calls the handler's method for this kind.
            ///
            /// # Errors
            /// The handler's.
            ///
            /// ```
            /// use wechat_events::{Handler, Reply, parse_event};
            ///
            /// struct Silent;
            /// impl Handler for Silent {}
            ///
            /// let event = parse_event(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>")?;
            /// assert_eq!(event.dispatch(&Silent)?, Reply::Success);
            /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
            /// ```
            pub fn dispatch<H: Handler + ?Sized>(&self, handler: &H) -> HandlerResult {
                match &self.kind {
                    $(Kind::$kind(kind) => handler.$method(self, kind),)*
                    _ => handler.otherwise(self),
                }
            }

            /// Calls the handler's method for this kind and waits for it.
            ///
            /// # Errors
            /// The handler's.
            ///
            /// See [`AsyncHandler`] for an example.
            pub async fn dispatch_async<H: AsyncHandler>(&self, handler: &H) -> HandlerResult {
                match &self.kind {
                    $(Kind::$kind(kind) => handler.$method(self, kind).await,)*
                    _ => handler.otherwise(self).await,
                }
            }
        }
    };
}

handlers! {
    /// A user wrote a text.
    text(Text);
    /// A user sent a picture.
    image(Image);
    /// A user spoke.
    voice(Voice);
    /// A user sent a video.
    video(Video);
    /// A user recorded a short video.
    short_video(ShortVideo);
    /// A user sent a place.
    location_message(LocationMessage);
    /// A user shared a page.
    link(Link);
    /// A user sent a file.
    file(File);
    /// A user shared a page of a mini program.
    miniprogram_page(MiniprogramPage);

    /// A user follows the account.
    subscribe(Subscribe);
    /// A follower left.
    unsubscribe(Unsubscribe);
    /// A follower scanned a QR code of the account.
    scan(Scan);
    /// A follower's phone reports where it is.
    location(Location);
    /// A follower pressed a `click` button of the menu.
    click(Click);
    /// A follower pressed a `view` button of the menu.
    view(View);
    /// A follower opened the chat.
    enter(Enter);
    /// A user opened the customer-service chat of a mini program.
    user_enter_tempsession(UserEnterTempsession);

    /// A follower scanned something, and WeChat shows the result.
    scancode_push(ScancodePush);
    /// A follower scanned something, and waits for the account's answer.
    scancode_waitmsg(ScancodeWaitmsg);
    /// A follower took pictures.
    pic_sysphoto(PicSysphoto);
    /// A follower took or chose pictures.
    pic_photo_or_album(PicPhotoOrAlbum);
    /// A follower chose pictures of the WeChat album.
    pic_weixin(PicWeixin);
    /// A follower chose a place.
    location_select(LocationSelect);
    /// A follower pressed a `miniprogram` button of the menu.
    view_miniprogram(ViewMiniprogram);
}

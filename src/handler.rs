//! What do we say? The user's code: methods for the usual kinds and one for the others, each with a default.

use std::error::Error;
use std::future::{Future, ready};
use std::sync::Arc;

use crate::event::{self, Event, Kind};
use crate::failure::Failure;
use crate::reply::Reply;

/// What a handler makes of a push.
///
/// `Err` means «not handled: another delivery may try again».
pub type HandlerResult = Result<Reply, Box<dyn Error + Send + Sync>>;

/// What the defaults of `late` and `failed` say: then it is reported, so that nothing is lost in silence.
#[derive(Debug, thiserror::Error)]
#[error("the handler has no method for it")]
pub(crate) struct NoMethod;

macro_rules! handlers {
    // Of a method that is forgotten here its default would be called, and the handler's own never.
    (@forward $pointer:ty; $($method:ident($kind:ident);)*) => {
        #[deny(clippy::missing_trait_methods)]
        impl<H: Handler + ?Sized> Handler for $pointer {
            $(
                fn $method(&self, event: &Event<'_>, $method: &event::$kind<'_>) -> HandlerResult {
                    (**self).$method(event, $method)
                }
            )*
            fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
                (**self).otherwise(event)
            }
            fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
                (**self).late(event, reply)
            }
            fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
                (**self).failed(failure)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        impl<H: AsyncHandler> AsyncHandler for $pointer {
            $(
                fn $method(
                    &self,
                    event: &Event<'_>,
                    $method: &event::$kind<'_>,
                ) -> impl Future<Output = HandlerResult> + Send {
                    (**self).$method(event, $method)
                }
            )*
            fn otherwise(&self, event: &Event<'_>) -> impl Future<Output = HandlerResult> + Send {
                (**self).otherwise(event)
            }
            fn late(
                &self,
                event: &Event<'_>,
                reply: &Reply,
            ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send {
                (**self).late(event, reply)
            }
            fn failed(
                &self,
                failure: &Failure,
            ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send {
                (**self).failed(failure)
            }
        }
    };
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
        /// Since every kind forwards to it, `otherwise` alone makes a wrapper; with [`late`](Handler::late) and
        /// [`failed`](Handler::failed) it hands on those as well, which are else reported:
        /// ```
        /// use std::error::Error;
        /// use wechat_events::{Event, Failure, Handler, HandlerResult, Reply, parse_event};
        ///
        /// struct Logged<H>(H);
        ///
        /// impl<H: Handler> Handler for Logged<H> {
        ///     fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        ///         eprintln!("{} from {}", event.name(), event.from_user);
        ///         event.dispatch(&self.0)
        ///     }
        ///
        ///     fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        ///         self.0.late(event, reply)
        ///     }
        ///
        ///     fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
        ///         self.0.failed(failure)
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
            /// Takes a reply that no delivery carries, once: send it by the customer-service API, or keep it for the
            /// follower's next message.
            ///
            /// Called by a `Webhook` only; [`Endpoint::respond`](crate::Endpoint::respond) waits for the handler.
            ///
            /// # Errors
            /// The reply is lost, and [reported](crate::Report::Late). So does the default.
            fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
                let _ = (event, reply);
                Err(NoMethod.into())
            }
            /// Takes what was not handled, with the reason: for each run that fails, so up to three times for a push,
            /// and for a push that was not run at all.
            ///
            /// Called by a `Webhook` only.
            ///
            /// # Errors
            /// The failure is [reported](crate::Report::Failed). So does the default.
            fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
                let _ = failure;
                Err(NoMethod.into())
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
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is no `AsyncHandler`",
            note = "a `Handler`, whose methods are no `async fn`, becomes one as `Blocking(handler)`"
        )]
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
                ready(Ok(Reply::Success))
            }
            /// Takes a reply that no delivery carries, once: send it by the customer-service API, or keep it for the
            /// follower's next message.
            ///
            /// A shutdown waits for it, as it does for handlers. On `Err` the reply is lost, and
            /// [reported](crate::Report::Late). So does the default.
            ///
            /// ```standalone_crate
            /// # #[cfg(feature = "tokio")]
            /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
            /// use std::error::Error;
            /// use std::time::Duration;
            /// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Policy, Reply, Webhooks};
            ///
            /// struct Slow(tokio::sync::mpsc::UnboundedSender<(String, Reply)>);
            ///
            /// impl AsyncHandler for Slow {
            ///     async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            ///         tokio::time::sleep(Duration::from_secs(30)).await;
            ///         Ok(Reply::text("at last"))
            ///     }
            ///
            ///     async fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
            ///         Ok(self.0.send((event.from_user.to_string(), reply.clone()))?)
            ///     }
            /// }
            ///
            /// let (late, mut outbox) = tokio::sync::mpsc::unbounded_channel();
            /// let webhooks = Webhooks::builder().policy(Policy::Acknowledge).build();
            /// let webhook = webhooks.account(Endpoint::plain("AAAAA")?, Slow(late));
            /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
            /// let response = webhook.call("POST", query, include_bytes!("../tests/pushes/text.xml")).await;
            /// assert_eq!(response.body, b"success");
            /// let late = outbox.recv().await.unwrap();
            /// assert_eq!(late, ("oqi1rLPx-bJ18oxc49j8USAghBVe".to_owned(), Reply::text("at last")));
            /// # Ok::<(), wechat_events::ConfigError>(())
            /// # }).unwrap();
            /// ```
            fn late(
                &self,
                event: &Event<'_>,
                reply: &Reply,
            ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send {
                let _ = (event, reply);
                ready(Err(NoMethod.into()))
            }
            /// Takes what was not handled, with the reason: for each run that fails, so up to three times for a push,
            /// and for a push that was not run at all.
            ///
            /// A shutdown waits for it, as it does for handlers. On `Err` the failure is
            /// [reported](crate::Report::Failed). So does the default. See [`Failure`] for an example.
            fn failed(
                &self,
                failure: &Failure,
            ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send {
                let _ = failure;
                ready(Err(NoMethod.into()))
            }
        }

        handlers! { @forward &H; $($method($kind);)* }
        handlers! { @forward Box<H>; $($method($kind);)* }
        handlers! { @forward Arc<H>; $($method($kind);)* }

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

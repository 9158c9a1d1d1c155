//! The user's code: a method for each common kind and one for all others, each with a default.

use std::error::Error;
use std::future::{Future, ready};
use std::sync::Arc;

use crate::event::{self, Event, Kind};
use crate::failure::Failure;
use crate::reply::Reply;

/// What a handler returns for a push.
///
/// `Err` means "not handled: another delivery may try again".
pub type HandlerResult = Result<Reply, Box<dyn Error + Send + Sync>>;

/// The error of the default `late` and `failed`: the reply or failure is then reported, so that nothing is lost in
/// silence.
#[derive(Debug, thiserror::Error)]
#[error("the handler has no method for it")]
pub(crate) struct NoMethod;

macro_rules! handlers {
    // If one of these methods were not forwarded, its default would be called and never the handler's own.
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
        /// Handles pushes: a method for each common kind, whose result is the reply.
        ///
        /// Every method has a default, which forwards to [`otherwise`](Handler::otherwise), whose default answers
        /// [`Reply::Success`]: implement what your account needs. Kinds without a method of their own go to
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
        /// Every kind forwards to `otherwise`, so that method is enough for a wrapper. To hand on late replies and
        /// failures too, which would otherwise be reported, add [`late`](Handler::late) and
        /// [`failed`](Handler::failed):
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
                /// When the implementation cannot handle the push now.
                fn $method(&self, event: &Event<'_>, $method: &event::$kind<'_>) -> HandlerResult {
                    let _ = $method;
                    self.otherwise(event)
                }
            )*
            /// Called for every kind whose method is not implemented, and for every kind without one.
            ///
            /// The default answers [`Reply::Success`].
            ///
            /// # Errors
            /// When the implementation cannot handle the push now.
            fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
                let _ = event;
                Ok(Reply::Success)
            }
            /// Takes a reply that no delivery could carry, once: send it by the customer-service API, or keep it for
            /// the user's next message.
            ///
            /// Called by a `Webhook` only; [`Endpoint::respond`](crate::Endpoint::respond) waits for the handler.
            ///
            /// # Errors
            /// The reply is lost, and [reported](crate::Report::Late). The default returns an error.
            fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
                let _ = (event, reply);
                Err(NoMethod.into())
            }
            /// Takes a push that was not handled, with the reason. Called for each failed run, so up to three times for
            /// a push, and for a push that was not run at all.
            ///
            /// Called by a `Webhook` only.
            ///
            /// # Errors
            /// The failure is [reported](crate::Report::Failed). The default returns an error.
            fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
                let _ = failure;
                Err(NoMethod.into())
            }
        }

        /// [`Handler`] for async code: the same methods, with futures that are `Send`.
        ///
        /// Implement the methods as plain `async fn`. No particular runtime is needed.
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
            message = "`{Self}` is not an `AsyncHandler`",
            note = "to use a `Handler`, whose methods are not `async fn`, write `Blocking(handler)`"
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
            /// Called for every kind whose method is not implemented, and for every kind without one.
            ///
            /// The default answers [`Reply::Success`].
            fn otherwise(&self, event: &Event<'_>) -> impl Future<Output = HandlerResult> + Send {
                let _ = event;
                ready(Ok(Reply::Success))
            }
            /// Takes a reply that no delivery could carry, once: send it by the customer-service API, or keep it for
            /// the user's next message.
            ///
            /// A shutdown waits for it, as for handlers. On `Err` the reply is lost, and
            /// [reported](crate::Report::Late). The default returns an error.
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
            /// Takes a push that was not handled, with the reason. Called for each failed run, so up to three times for
            /// a push, and for a push that was not run at all.
            ///
            /// A shutdown waits for it, as for handlers. On `Err` the failure is [reported](crate::Report::Failed). The
            /// default returns an error. See [`Failure`] for an example.
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
            /// The handler's error.
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
            /// The handler's error.
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
    /// A user sent a text.
    text(Text);
    /// A user sent a picture.
    image(Image);
    /// A user sent a voice message.
    voice(Voice);
    /// A user sent a video.
    video(Video);
    /// A user recorded a short video.
    short_video(ShortVideo);
    /// A user sent a location.
    location_message(LocationMessage);
    /// A user shared a link.
    link(Link);
    /// A user sent a file.
    file(File);
    /// A user shared a mini program page.
    miniprogram_page(MiniprogramPage);

    /// A user followed the account.
    subscribe(Subscribe);
    /// A user unfollowed the account.
    unsubscribe(Unsubscribe);
    /// A user who already follows scanned one of the account's QR codes.
    scan(Scan);
    /// A user's phone reported its location.
    location(Location);
    /// A user clicked a `click` button of the menu.
    click(Click);
    /// A user clicked a `view` button of the menu.
    view(View);
    /// A user opened the chat.
    enter(Enter);
    /// A user opened the customer-service chat of a mini program.
    user_enter_tempsession(UserEnterTempsession);

    /// A user scanned something, and WeChat shows the result.
    scancode_push(ScancodePush);
    /// A user scanned something, and waits for the account's reply.
    scancode_waitmsg(ScancodeWaitmsg);
    /// A user took photos.
    pic_sysphoto(PicSysphoto);
    /// A user took or chose photos.
    pic_photo_or_album(PicPhotoOrAlbum);
    /// A user chose photos from the WeChat album.
    pic_weixin(PicWeixin);
    /// A user chose a location.
    location_select(LocationSelect);
    /// A user clicked a `miniprogram` button of the menu.
    view_miniprogram(ViewMiniprogram);
}

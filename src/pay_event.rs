//! Signatures of mini-game payments, which are made with the app key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{ConfigError, ParseError};
use crate::event::{Event, MiniGamePayload, Reason};

/// The app keys of a mini game: 虚拟支付 → 基础配置 in WeChat's console. `Debug` does not show them.
///
/// ```
/// use wechat_events::AppKeys;
///
/// let keys = AppKeys::live("live app key")?.sandbox("sandbox app key")?;
/// assert_eq!(format!("{keys:?}"), "AppKeys { live: ***, sandbox: true }");
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct AppKeys {
    live: String,
    sandbox: Option<String>,
}

impl AppKeys {
    /// Takes the live key only: what was signed in the sandbox is refused.
    ///
    /// # Errors
    /// [`ConfigError::EmptyAppKey`]: with an empty key anybody could sign.
    pub fn live(key: impl Into<String>) -> Result<AppKeys, ConfigError> {
        Ok(AppKeys { live: filled(key.into())?, sandbox: None })
    }

    /// Adds the key of the sandbox, where nobody pays.
    ///
    /// # Errors
    /// [`ConfigError::EmptyAppKey`]: with an empty key anybody could sign.
    pub fn sandbox(self, key: impl Into<String>) -> Result<AppKeys, ConfigError> {
        Ok(AppKeys { sandbox: Some(filled(key.into())?), ..self })
    }

    /// Signs as WeChat does, with the key for the payload's `Env`, in lower-case hexadecimal. Empty if there is no such
    /// key.
    #[cfg(feature = "testing")]
    pub(crate) fn sign(&self, name: &str, payload: &str) -> String {
        let env = MiniGamePayload::read(payload).map_or(0, |payload| payload.env);
        let key = if env == 0 { Some(&self.live) } else { self.sandbox.as_ref() };
        let mac = key.and_then(|key| mac(key, &[name, "&", payload]));
        mac.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
    }

    /// The `Env` whose key made this signature.
    fn env_of(&self, message: &[&str], signature: &[u8]) -> Option<i64> {
        let keys = [(0, Some(&self.live)), (1, self.sandbox.as_ref())];
        keys.into_iter().find_map(|(env, key)| is_signed(key?, message, signature).then_some(env))
    }
}

fn filled(key: String) -> Result<String, ConfigError> {
    if key.is_empty() { Err(ConfigError::EmptyAppKey) } else { Ok(key) }
}

/// Takes constant time.
fn is_signed(key: &str, message: &[&str], signature: &[u8]) -> bool {
    mac(key, message).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

fn mac(key: &str, message: &[&str]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    message.iter().for_each(|part| mac.update(part.as_bytes()));
    Some(mac)
}

impl fmt::Debug for AppKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppKeys").field("live", &format_args!("***")).field("sandbox", &self.sandbox.is_some()).finish()
    }
}

impl Event<'_> {
    /// What a mini game's push says was paid, if its signature is valid.
    ///
    /// Works for every event with `MiniGame/Payload`, typed here or not. The signature covers the event's name and the
    /// payload, is made with the app key for the payload's `Env`, and is compared in constant time. `Ok(None)` if
    /// `IsMock` is set: WeChat's console is testing the address, all is well, and there is nothing to deliver.
    ///
    /// Deliver once for each [`business_key`](Event::business_key), and then answer [`Reply::Success`](crate::Reply).
    ///
    /// # Errors
    /// Deliver nothing, and answer with a [`Reply::code`](crate::Reply::code) other than 0:
    /// - [`PayEventError::Missing`]: no `MiniGame/Payload`, or no `MiniGame/PayEventSig`
    /// - [`PayEventError::Signature`]: not 64 hexadecimal digits, or made for another name or payload or with another
    ///   key
    /// - [`PayEventError::Env`]: a payload of the live game signed in the sandbox, or the other way round
    /// - [`PayEventError::Json`], [`PayEventError::Field`]: signed, but not a valid payload
    ///
    /// ```
    /// use wechat_events::{AppKeys, parse_event};
    ///
    /// let keys = AppKeys::live("live-app-key")?;
    /// # let body = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pushes/minigame_h5_goods_deliver_notify.xml"));
    /// let event = parse_event(body)?;
    /// let payload = event.mini_game_payload(&keys)?.expect("no mock");
    /// assert_eq!((&*payload.out_trade_no, payload.env), ("G20261129000001", 0));
    /// assert_eq!(payload.goods_info.unwrap().product_id.as_deref(), Some("sword"));
    ///
    /// let error = event.mini_game_payload(&AppKeys::live("another key")?).unwrap_err();
    /// assert_eq!(error.to_string(), "PayEventSig was not made with this app key for this event and payload");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "minigame")))]
    pub fn mini_game_payload(&self, keys: &AppKeys) -> Result<Option<MiniGamePayload<'static>>, PayEventError> {
        let present = |path| self.field(path).ok_or(PayEventError::Missing { field: path });
        let payload = present("MiniGame/Payload")?;
        let signature = hex::decode(&*present("MiniGame/PayEventSig")?).map_err(|_| PayEventError::Signature)?;
        // As it came: the signature covers the name in its original case.
        let name = present("Event")?;
        let signed_in = keys.env_of(&[&name, "&", &payload], &signature).ok_or(PayEventError::Signature)?;
        let payload = MiniGamePayload::read(&payload)?;
        if payload.env != signed_in {
            return Err(PayEventError::Env { env: payload.env });
        }
        let is_mock = self.field("MiniGame/IsMock").is_some_and(|mock| !matches!(mock.trim(), "false" | "0" | ""));
        Ok((!is_mock).then_some(payload))
    }
}

/// Why a mini game's push was rejected: deliver nothing for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayEventError {
    /// The push has no such element.
    #[error("missing field {field}")]
    Missing {
        /// Its path on the wire.
        field: &'static str,
    },
    /// The signer does not have the app key.
    #[error("PayEventSig was not made with this app key for this event and payload")]
    Signature,
    /// The payload was signed with the key of another environment.
    #[error("the payload has Env {env} but is signed with the app key of another one")]
    Env {
        /// `Env` of the payload.
        env: i64,
    },
    /// The payload is not JSON; the source says where.
    #[error("the payload cannot be read")]
    Json(#[from] ParseError),
    /// A field of the payload is missing or malformed; the source names it.
    #[error("the payload is not valid")]
    Field(#[from] Reason),
}

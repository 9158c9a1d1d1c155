//! The account that is played: what the console knows of it.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use wechat_events::AppKeys;
use wechat_events::cipher::{EncodingAesKey, open};
use wechat_events::testing::{Draft, WeChat};

use crate::Problem;

/// What is entered in the console under «Server configuration» (服务器配置), except the address.
#[derive(Debug, Clone, Args)]
pub struct Account {
    /// The Token (令牌).
    #[arg(long, env = "WECHAT_TOKEN", hide_env_values = true)]
    pub token: String,
    /// The encryption mode (消息加解密方式). Default: safe if there is a key, else plain.
    #[arg(long, env = "WECHAT_MODE")]
    mode: Option<Mode>,
    /// The account's app id (AppID); not for plain mode.
    #[arg(long, env = "WECHAT_APP_ID")]
    pub app_id: Option<String>,
    /// The EncodingAESKey (消息加解密密钥), 43 characters; not for plain mode.
    #[arg(long, env = "WECHAT_AES_KEY", hide_env_values = true)]
    pub aes_key: Option<String>,
    /// The app key of virtual payment (虚拟支付), which signs the payment pushes of mini games.
    #[arg(long, env = "WECHAT_APP_KEY", hide_env_values = true)]
    pub app_key: Option<String>,
    /// Repeats a run: the same nonces, MsgIds and random bytes. Default: from the clock.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 明文模式
    Plain,
    /// 兼容模式
    Compatible,
    /// 安全模式
    Safe,
}

impl Account {
    pub fn mode(&self) -> Mode {
        let default = if self.aes_key.is_some() { Mode::Safe } else { Mode::Plain };
        self.mode.unwrap_or(default)
    }

    /// What `--seed` says, else another for each call.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(clock_seed)
    }

    /// WeChat as this account sees it.
    pub fn wechat(&self) -> Result<WeChat, Problem> {
        self.wechat_in(self.mode())
    }

    /// The same account in another mode.
    pub fn wechat_in(&self, mode: Mode) -> Result<WeChat, Problem> {
        let needed = |value: &Option<String>, name| {
            value.clone().ok_or_else(|| Problem::from(format!("mode {mode:?} needs {name}").to_lowercase()))
        };
        let wechat = match mode {
            Mode::Plain => WeChat::plain(&self.token),
            Mode::Compatible => {
                WeChat::compatible(&self.token, needed(&self.app_id, "--app-id")?, needed(&self.aes_key, "--aes-key")?)
            }
            Mode::Safe => {
                WeChat::safe(&self.token, needed(&self.app_id, "--app-id")?, needed(&self.aes_key, "--aes-key")?)
            }
        };
        Ok(wechat?.seed(self.seed()))
    }

    /// A push with the signature of a mini game's payments, if it is one and there is an app key.
    pub fn signed<'w>(&self, draft: Draft<'w>) -> Result<Draft<'w>, Problem> {
        Ok(match &self.app_key {
            Some(key) => draft.app_keys(&AppKeys::live(key)?),
            None => draft,
        })
    }

    /// The decrypted answer, whether WeChat would accept it or not; `None` if this account's key does not decrypt it.
    pub fn open(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let key = EncodingAesKey::new(self.aes_key.as_deref()?).ok()?;
        let opened = open(&key, self.app_id.as_deref()?, encrypt(answer)?).ok()?;
        Some(opened.into_message())
    }
}

/// The `Encrypt` of an envelope, wherever it stands: for eyes, so it need not be exact.
fn encrypt(body: &[u8]) -> Option<&str> {
    let body = str::from_utf8(body).ok()?;
    let (_, behind) = body.split_once("<Encrypt>").or_else(|| body.split_once("\"Encrypt\""))?;
    let behind = behind.trim_start_matches(|c: char| c.is_whitespace() || c == ':' || c == '"');
    let behind = behind.strip_prefix("<![CDATA[").unwrap_or(behind);
    behind.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))).next()
}

/// Another for each run.
fn clock_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or_default()
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

//! The account that is played: what the console knows of it.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use wechat_events::testing::WeChat;

use crate::Problem;

/// What is entered in the console under «Server configuration» (服务器配置), but for the address.
#[derive(Debug, Clone, Args)]
pub struct Account {
    /// The token (令牌).
    #[arg(long, env = "WECHAT_TOKEN", hide_env_values = true)]
    pub token: String,
    /// How messages are sealed. Default: safe if there is a key, else plain.
    #[arg(long, env = "WECHAT_MODE")]
    mode: Option<Mode>,
    /// The account's app id (AppID); not for plain mode.
    #[arg(long, env = "WECHAT_APP_ID")]
    pub app_id: Option<String>,
    /// The EncodingAESKey (消息加解密密钥), 43 characters; not for plain mode.
    #[arg(long, env = "WECHAT_AES_KEY", hide_env_values = true)]
    pub aes_key: Option<String>,
    /// Repeats a run: the same nonces, MsgIds and random bytes. Default: from the clock, so that pushes are new.
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
        Ok(wechat?.seed(self.seed.unwrap_or_else(clock_seed)))
    }
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

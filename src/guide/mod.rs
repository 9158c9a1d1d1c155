//! The guide: what to do, and why it is as it is. [中文](zh).
//!
//! | page | |
//! |---|---|
//! | [`start`] | from `cargo add` to an account that answers |
//! | [`recipes`] | keywords, menus, scenes, slow answers, many accounts, queues, tests, platforms |
//! | [`payments`] | what mini programs and mini games sell, delivered once |
//! | [`retries`] | what is guaranteed when WeChat delivers again |
//! | [`security`] | what each mode protects, and what it does not |
//! | [`machines`] | retries that reach another process |
//! | [`coming`] | from WxJava, EasyWeChat, wechatpy, silenceper/wechat |
//! | [`design`] | why it is as it is |
//! | [`limits`] | what does not work |
//!
//! The reference is the pages of the items: [`Webhook`](crate::Webhook), [`Endpoint`](crate::Endpoint), and of each kind
//! of push in [`event`](crate::event).

macro_rules! pages {
    ($language:literal $($page:ident)*) => {$(
        pub mod $page {
            // Within, so that links begin here.
            #![doc = include_str!(concat!($language, "/", stringify!($page), ".md"))]
        }
    )*};
}

pages!("en" start recipes payments retries security machines coming design limits);

/// 指南：怎么用，以及为什么这样设计。[English](crate::guide)。
///
/// | 页 | |
/// |---|---|
/// | [`start`](zh::start) | 从 `cargo add` 到公众号能回复 |
/// | [`recipes`](zh::recipes) | 常见做法：关键词、菜单、场景值、慢回复、多个账号、队列、测试、第三方平台 |
/// | [`payments`](zh::payments) | 支付：小程序和小游戏卖出的东西，只发一次货 |
/// | [`retries`](zh::retries) | 微信重试时能保证什么 |
/// | [`security`](zh::security) | 每种模式保护什么，不保护什么 |
/// | [`machines`](zh::machines) | 多台机器 |
/// | [`coming`](zh::coming) | 从 WxJava、EasyWeChat、wechatpy、silenceper/wechat 迁移 |
/// | [`design`](zh::design) | 为什么这样做 |
/// | [`limits`](zh::limits) | 做不到的事 |
pub mod zh {
    pages!("zh" start recipes payments retries security machines coming design limits);
}

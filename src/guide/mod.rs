//! The guide: how to use this crate, and why it works the way it does. [中文](zh).
//!
//! Begin with [`start`], and take what your service needs from [`recipes`] and [`payments`]. Before you go live, read
//! [`retries`], [`machines`], [`security`] and [`limits`]. If you know another SDK, [`coming`] has its words beside ours;
//! [`design`] explains the decisions.
//!
//! Every kind of push is in [`event`](crate::event); the full rules are on the pages of [`Webhook`](crate::Webhook) and
//! [`Endpoint`](crate::Endpoint).

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
/// 先看[开始](zh::start)，再按需查阅[常见用法](zh::recipes)和[支付](zh::payments)。上线之前，请看[重试](zh::retries)、[多机部署](zh::machines)、[安全](zh::security)和[限制](zh::limits)。用过其他 SDK 的，[迁移](zh::coming)里有名称对照；[设计](zh::design)解释为什么这样做。
///
/// 所有推送类型都在 [`event`](crate::event) 里；完整的规则见 [`Webhook`](crate::Webhook) 和 [`Endpoint`](crate::Endpoint) 的页面。
pub mod zh {
    pages!("zh" start recipes payments retries security machines coming design limits);
}

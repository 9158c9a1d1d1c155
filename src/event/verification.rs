//! Accreditation of the account (认证).

use crate::text::Str;

use super::record::record;

record! {
    /// The account's qualification was verified.
    ///
    /// WeChat verifies the account's documents; the interface permissions are granted at once.
    #[doc(alias("资质认证成功"))]
    pub struct QualificationVerifySuccess<'a> = "qualification_verify_success" in accreditation => Success {
        /// When the verification ends, in seconds since 1970.
        pub expired_time: Option<i64> = "ExpiredTime",
    }
}

record! {
    /// Verifying the qualification failed.
    ///
    /// WeChat rejects the account's documents.
    #[doc(alias("资质认证失败"))]
    pub struct QualificationVerifyFail<'a> = "qualification_verify_fail" in accreditation => Success {
        /// When it failed, in seconds since 1970.
        pub fail_time: Option<i64> = "FailTime",
        /// Why it failed.
        pub fail_reason: Option<Str<'a>> = "FailReason",
    }
}

record! {
    /// The account's name was verified.
    ///
    /// WeChat verifies the name; the client shows the mark from now on.
    #[doc(alias("名称认证成功"))]
    pub struct NamingVerifySuccess<'a> = "naming_verify_success" in accreditation => Success {
        /// When the verification ends, in seconds since 1970.
        pub expired_time: Option<i64> = "ExpiredTime",
    }
}

record! {
    /// Verifying the account's name failed.
    ///
    /// WeChat rejects the name; the permissions stay, the mark is not shown.
    #[doc(alias("名称认证失败"))]
    pub struct NamingVerifyFail<'a> = "naming_verify_fail" in accreditation => Success {
        /// When it failed, in seconds since 1970.
        pub fail_time: Option<i64> = "FailTime",
        /// Why it failed.
        pub fail_reason: Option<Str<'a>> = "FailReason",
    }
}

record! {
    /// The yearly verification is due.
    ///
    /// The verification will end soon and has to be renewed.
    #[doc(alias("年审"))]
    pub struct AnnualRenew<'a> = "annual_renew" in accreditation => Success {
        /// When the verification ends, in seconds since 1970.
        pub expired_time: Option<i64> = "ExpiredTime",
    }
}

record! {
    /// The verification has ended.
    ///
    /// The verification was not renewed in time.
    #[doc(alias("认证过期"))]
    pub struct VerifyExpired<'a> = "verify_expired" in accreditation => Success {
        /// When the verification ends, in seconds since 1970.
        pub expired_time: Option<i64> = "ExpiredTime",
    }
}

record! {
    /// The verification fee was paid.
    ///
    /// The account has paid for its verification. Seen by several accounts.
    #[doc(alias("认证支付成功"))]
    pub struct WxVerifyPaySucc<'a> = "wx_verify_pay_succ" in none => Success {
        /// The verification order's id.
        pub order_id: Option<Str<'a>> = "OrderId",
    }
}

record! {
    /// The verification was given to a reviewer.
    ///
    /// WeChat hands the paid application to a reviewing company. Seen, not documented.
    #[doc(alias("认证派单"))]
    pub struct WxVerifyDispatch<'a> = "wx_verify_dispatch" in none => Success {
        /// The reviewing company's name.
        pub provider: Option<Str<'a>> = "Provider",
        /// How to reach it.
        pub contact: Option<Str<'a>> = "Contact",
        /// When it was handed over, in seconds since 1970.
        pub dispatch_time: Option<i64> = "DispatchTime",
    }
}

record! {
    /// The verification form must be corrected.
    ///
    /// The reviewer sends the application back. Seen, not documented.
    #[doc(alias("认证打回"))]
    pub struct WxVerifyRefill<'a> = "wx_verify_refill" in none => Success {
        /// When it was sent back, in seconds since 1970.
        pub refill_time: Option<i64> = "RefillTime",
        /// What to correct.
        pub refill_reason: Option<Str<'a>> = "RefillReason",
    }
}

record! {
    /// The verification failed for good.
    ///
    /// The reviewer rejects the application. Seen, not documented.
    #[doc(alias("认证失败"))]
    pub struct WxVerifyFail<'a> = "wx_verify_fail" in none => Success {
        /// When it failed, in seconds since 1970.
        pub fail_time: Option<i64> = "FailTime",
        /// Why it failed.
        pub fail_reason: Option<Str<'a>> = "FailReason",
    }
}

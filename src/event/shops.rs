//! Stores, Wi-Fi, shake-around, product scan.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// A store passed or failed review.
    ///
    /// WeChat has reviewed a store that the account created.
    #[doc(alias("门店审核"))]
    pub struct PoiCheckNotify<'a> = "poi_check_notify" in stores => Success {
        /// The merchant's id of the store.
        pub uniq_id: Option<Str<'a>> = "UniqId",
        /// WeChat's id of the store.
        pub poi_id: Option<Str<'a>> = "PoiId",
        /// The outcome.
        pub result: Option<PoiResult<'a>> = "Result|result",
        /// Why it was rejected, or a remark.
        pub msg: Option<Str<'a>> = "Msg|msg",
    }
}

names! {
    /// What the review of a store found.
    pub enum PoiResult {
        /// Approved.
        Succ = "succ",
        /// Rejected.
        Fail = "fail",
    }
}

record! {
    /// The store mini program passed or failed review.
    ///
    /// WeChat has reviewed the account's application for a store mini program.
    #[doc(alias("门店小程序"))]
    pub struct ApplyMerchantAuditInfo<'a> = "apply_merchant_audit_info" in store_mini_programs => Success {
        /// The review's id.
        pub audit_id: Option<i64> = "audit_id",
        /// The outcome.
        ///
        /// `0` not submitted; `1` approved; `2` in review; `3` rejected; `4` refused by the administrator.
        pub status: Option<i64> = "status",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
    }
}

record! {
    /// A new place on Tencent Maps was reviewed.
    ///
    /// Tencent Maps has reviewed a place that the account asked to add.
    #[doc(alias("门店小程序"))]
    pub struct CreateMapPoiAuditInfo<'a> = "create_map_poi_audit_info" in store_mini_programs => Success {
        /// The review's id.
        pub audit_id: Option<i64> = "audit_id",
        /// The outcome; its codes are not documented, and it was seen empty.
        pub status: Option<i64> = "status",
        /// The place's id on Tencent Maps.
        pub map_poi_id: Option<Str<'a>> = "map_poi_id",
        /// The store's name.
        pub name: Option<Str<'a>> = "name",
        /// The store's address.
        pub address: Option<Str<'a>> = "address",
        /// Longitude in degrees.
        pub longitude: Option<f64> = "longitude",
        /// Latitude in degrees.
        pub latitude: Option<f64> = "latitude",
        /// The reviewer's remark; may be empty.
        pub sh_remark: Option<Str<'a>> = "sh_remark",
    }
}

record! {
    /// A store of the mini program was reviewed.
    ///
    /// WeChat has reviewed a store that was added to the store mini program.
    #[doc(alias("门店小程序"))]
    pub struct AddStoreAuditInfo<'a> = "add_store_audit_info" in store_mini_programs => Success {
        /// The review's id.
        pub audit_id: Option<i64> = "audit_id",
        /// The outcome: `1` approved; `3` rejected.
        pub status: Option<i64> = "status",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
        /// How the store was added: `0` newly created; `1` supplemented after an upgrade.
        pub is_upgrade: Option<i64> = "is_upgrade",
        /// The store's id, where approved.
        pub poiid: Option<Str<'a>> = "poiid",
    }
}

record! {
    /// A store's changed pictures were reviewed.
    ///
    /// WeChat has reviewed a change of a store in the store mini program.
    #[doc(alias("门店小程序"))]
    pub struct ModifyStoreAuditInfo<'a> = "modify_store_audit_info" in store_mini_programs => Success {
        /// The review's id.
        pub audit_id: Option<i64> = "audit_id",
        /// The outcome: `1` approved; `3` rejected.
        pub status: Option<i64> = "status",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
    }
}

record! {
    /// Categories of a nearby mini program were reviewed.
    ///
    /// WeChat has reviewed the category submitted for showing a mini program nearby.
    #[doc(alias("附近的小程序"))]
    pub struct NearbyCategoryAuditInfo<'a> = "nearby_category_audit_info" in none => Success {
        /// The review's id.
        pub audit_id: Option<Str<'a>> = "audit_id",
        /// The outcome: `3` approved; `2` rejected.
        pub status: Option<i64> = "status",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
    }
}

record! {
    /// A place of a nearby mini program was reviewed.
    ///
    /// WeChat has reviewed a place submitted for showing a mini program nearby.
    #[doc(alias("附近的小程序"))]
    pub struct AddNearbyPoiAuditInfo<'a> = "add_nearby_poi_audit_info" in none => Success {
        /// The review's id.
        pub audit_id: Option<Str<'a>> = "audit_id",
        /// The outcome: `3` approved; `2` rejected.
        pub status: Option<i64> = "status",
        /// Why it was rejected; empty when approved.
        pub reason: Option<Str<'a>> = "reason",
        /// The place's id.
        pub poi_id: Option<Str<'a>> = "poi_id",
    }
}

record! {
    /// A user connected to a store's Wi-Fi.
    ///
    /// A user joins a store's Wi-Fi through WeChat.
    #[doc(alias("微信连Wi-Fi"))]
    pub struct WifiConnected<'a> = "wifi_connected" in wifi => Success {
        /// When the user connected, in seconds since 1970.
        pub connect_time: Option<i64> = "ConnectTime",
        /// Reserved: a fixed value.
        pub expire_time: Option<i64> = "ExpireTime",
        /// Reserved: a fixed value.
        pub vendor_id: Option<Str<'a>> = "VendorId",
        /// The store's id.
        pub place_id: Option<Str<'a>> = "PlaceId|ShopId",
        /// The access point's MAC address.
        pub device_no: Option<Str<'a>> = "DeviceNo",
    }
}

record! {
    /// A user shook the phone near a beacon.
    ///
    /// The shake was under Nearby (周边), and a page of the account is shown.
    #[doc(alias("摇一摇"))]
    pub struct ShakearoundUserShake<'a> = "shakearound_user_shake" in beacons => Success {
        /// The beacon whose page is shown.
        pub chosen_beacon: Option<Beacon<'a>> = "ChosenBeacon",
        /// The account's other beacons nearby, at most five.
        pub around_beacons: Vec<Beacon<'a>> = "AroundBeacons/AroundBeacon",
    }
}

record! {
    /// A Bluetooth beacon of the account.
    pub struct Beacon<'a> {
        /// Its UUID.
        pub uuid: Option<Str<'a>> = "Uuid",
        /// Its major number.
        pub major: Option<u32> = "Major",
        /// Its minor number.
        pub minor: Option<u32> = "Minor",
        /// Distance to the user in metres.
        pub distance: Option<f64> = "Distance",
    }
}

record! {
    /// A user opened a product's page.
    ///
    /// A user opens the product page by scanning its code, or from a chat, the favourites or Moments.
    #[doc(alias("扫一扫", "商品"))]
    pub struct UserScanProduct<'a> = "user_scan_product" in products => Success {
        /// The product code's standard.
        pub key_standard: Option<KeyStandard<'a>> = "KeyStandard",
        /// The product code.
        pub key_str: Option<Str<'a>> = "KeyStr",
        /// The country set in the user's profile.
        pub country: Option<Str<'a>> = "Country",
        /// The province set in the user's profile.
        pub province: Option<Str<'a>> = "Province",
        /// The city set in the user's profile.
        pub city: Option<Str<'a>> = "City",
        /// The sex set in the user's profile: `0` unknown; `1` male; `2` female.
        pub sex: Option<i64> = "Sex",
        /// How the page was opened: `1` by scanning; `2` in another way.
        pub scene: Option<i64> = "Scene",
        /// What was given when the product's QR code was made.
        pub ext_info: Option<Str<'a>> = "ExtInfo",
    }
}

names! {
    /// The standard of a product code.
    pub enum KeyStandard {
        /// An EAN-13 bar code.
        Ean13 = "ean13",
        /// An EAN-8 bar code.
        Ean8 = "ean8",
        /// A QR code.
        Qrcode = "qrcode",
    }
}

record! {
    /// A user came from a product's page.
    ///
    /// A user enters the account's conversation from a product page.
    #[doc(alias("扫一扫", "商品"))]
    pub struct UserScanProductEnterSession<'a> = "user_scan_product_enter_session" in products => Success {
        /// The product code's standard.
        pub key_standard: Option<KeyStandard<'a>> = "KeyStandard",
        /// The product code.
        pub key_str: Option<Str<'a>> = "KeyStr",
        /// What was given when the product's QR code was made.
        pub ext_info: Option<Str<'a>> = "ExtInfo",
    }
}

record! {
    /// WeChat determined the location of a user who opened a product's page.
    ///
    /// Follows [`UserScanProduct`](super::UserScanProduct).
    #[doc(alias("扫一扫", "商品"))]
    pub struct UserScanProductAsync<'a> = "user_scan_product_async" in products => Success {
        /// The product code's standard.
        pub key_standard: Option<KeyStandard<'a>> = "KeyStandard",
        /// The product code.
        pub key_str: Option<Str<'a>> = "KeyStr",
        /// What was given when the product's QR code was made.
        pub ext_info: Option<Str<'a>> = "ExtInfo",
        /// The administrative region's code, down to the province.
        pub region_code: Option<Str<'a>> = "RegionCode",
    }
}

record! {
    /// A product passed or failed review.
    ///
    /// WeChat has reviewed a product that the account submitted.
    #[doc(alias("扫一扫", "商品"))]
    pub struct UserScanProductVerifyAction<'a> = "user_scan_product_verify_action" in products => Success {
        /// The product code's standard.
        pub key_standard: Option<KeyStandard<'a>> = "KeyStandard",
        /// The product code.
        pub key_str: Option<Str<'a>> = "KeyStr",
        /// The outcome.
        pub result: Option<ProductResult<'a>> = "Result",
        /// Why it was rejected; empty when approved.
        pub reason_msg: Option<Str<'a>> = "ReasonMsg",
    }
}

names! {
    /// What the review of a product found.
    pub enum ProductResult {
        /// Approved.
        VerifyOk = "verify_ok",
        /// Rejected.
        VerifyNotPass = "verify_not_pass",
    }
}

//! The official pages of the kinds, each in one place only: WeChat moves them now and then.

macro_rules! page {
    (none) => {
        "no official page"
    };
    (messages) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html>"
    };
    (events) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_event_pushes.html>"
    };
    (mini_program_chat) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/receive.html>"
    };
    (menu) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/menu/Custom_Menu_Push_Events.html>"
    };
    (templates) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html>"
    };
    (mass_messages) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/message/Batch_Sends.html>"
    };
    (publishing) => {
        "<https://developers.weixin.qq.com/doc/service/api/public/api_freepublish_submit>"
    };
    (subscriptions) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/subscription_messages/push.html>"
    };
    (guide_codes) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Shopping_Guide/guide-account/shopping-guide.onGuideCreateQrCode.html>"
    };
    (guide_accounts) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Shopping_Guide/guide-account/shopping-guide.addGuideAcct.html>"
    };
    (authorizations) => {
        "<https://developers.weixin.qq.com/doc/service/guide/h5/authorization_change.html>"
    };
    (cards) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/card/Coupons_Vouchers_and_Cards_Event_Push_Messages.html>"
    };
    (sub_merchants) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Cards_and_Offer/Third-party_developer_mode.html>"
    };
    (gift_cards) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/Cards_and_Offer/gift_card.html>"
    };
    (invoices) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/WeChat_Invoice/E_Invoice/Vendor_API_List.html>"
    };
    (invoice_states) => {
        "<https://developers.weixin.qq.com/doc/offiaccount/WeChat_Invoice/E_Invoice/Invoicing_Platform_API_List.html>"
    };
    (invoice_titles) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/weixin_invoice/Quick_issuing/Interface_Instructions.html>"
    };
    (stores) => {
        "<https://developers.weixin.qq.com/doc/service/en/WeChat_Stores/WeChat_Store_Interface.html>"
    };
    (store_mini_programs) => {
        "<https://developers.weixin.qq.com/doc/service/en/WeChat_Stores/WeChat_Shop_Miniprogram_Interface.html>"
    };
    (wifi) => {
        "<https://developers.weixin.qq.com/doc/service/en/WiFi_via_WeChat/Sending_messages_after_connection.html>"
    };
    (beacons) => {
        "<https://developers.weixin.qq.com/doc/service/en/Shake_Nearby/Shake_Event_Notifications.html>"
    };
    (products) => {
        "<https://developers.weixin.qq.com/doc/service/en/WeChat_Scan/Scan_QR_Code_Events_Push.html>"
    };
    (accreditation) => {
        "<https://developers.weixin.qq.com/doc/service/guide/product/Accreditation.html>"
    };
    (tickets) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/component_verify_ticket.html>"
    };
    (grants) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/authorize_event.html>"
    };
    (registration) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/register-management/fast-registration-ent/api_registerminiprogram.html>"
    };
    (trial_registration) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/beta_Mini_Programs/fastregister.html>"
    };
    (trial_verification) => {
        "<https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/register-management/fast-regist-beta/verfifyBetaMiniprogram.html>"
    };
    (verification) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/weapp-wxverify/api_secwxaapi_wxaauth>"
    };
    (verification_and_filing) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/wxverifyicp/api_submitauthandicp.html>"
    };
    (face_check) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/record/api_createicpverifytask.html>"
    };
    (filing) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/record/api_applyicpfiling>"
    };
    (order_paths) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/miniprogram-management/basic-info-management/api_applysetorderpathinfo.html>"
    };
    (nicknames) => {
        "<https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/miniprogram-management/basic-info-management/setNickName.html>"
    };
    (code_reviews) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/code/audit_event.html>"
    };
    (categories) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/category/wxa_category_audit.html>"
    };
    (appeals) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/records/record_event.html>"
    };
    (privacy) => {
        "<https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/apply_api/apply_privacy_interface.html>"
    };
    (punishments) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/platform/Penalty_for_Violation>"
    };
    (media_checks) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/sec-center/sec-check/mediaCheckAsync.html>"
    };
    (bad_scores) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/guarantee/negative>"
    };
    (live_followers) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/liveplayer/status_synchronization>"
    };
    (claims) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/express/business/claim_settlement_result.html>"
    };
    (parcels) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/express/provider/logistics.onPathUpdate.html>"
    };
    (drama_uploads) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/mini_drama/asset_upload_completion_event>"
    };
    (drama_reviews) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/event_push/mini_drama/drama_review_status_event>"
    };
    (deliveries) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/order-shipping/order-shipping>"
    };
    (b2b) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/server/API/B2b>"
    };
    (complaints) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/guarantee/complaint>"
    };
    (virtual_payment) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/virtual-payment.html>"
    };
    (subscriptions_on_android) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/vips.html>"
    };
    (subscriptions_on_ios) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/vip.html>"
    };
    (ios_refunds) => {
        "<https://developers.weixin.qq.com/miniprogram/dev/wxcloudservice/wxcloud/guide/wechatpay/virtual-payment-callback.html>"
    };
    (mini_game_goods) => {
        "<https://developers.weixin.qq.com/minigame/introduction/commercialization/virtual-payment/goods.html>"
    };
    (mini_game_events) => {
        "<https://developers.weixin.qq.com/minigame/dev/guide/open-ability/virtual-payment/event.html>"
    };
    (mini_game_gifts) => {
        "<https://developers.weixin.qq.com/minigame/dev/guide/open-ability/game-gift.html>"
    };
}
pub(crate) use page;

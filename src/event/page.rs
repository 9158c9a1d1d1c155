//! The official pages that describe the kinds, told once each: WeChat moves them now and then.

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
}
pub(crate) use page;

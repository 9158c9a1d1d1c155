//! The account's menu, in the words of WeChat's own interface `menu/create`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wechat_events::testing::{Draft, WeChat};

use crate::Problem;

/// What the page shows when no other menu is given; `examples/axum` answers it.
const DEFAULT: &str = include_str!("menu.json");

/// What `menu/create` takes, and what `menu/get` gives under `menu`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Menu {
    button: Vec<Button>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Button {
    pub name: String,
    /// What a Chinese browser shows in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_zh: Option<String>,
    /// None for a button that opens others.
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pagepath: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sub_button: Vec<Button>,
}

/// WeChat's limits: buttons below the chat, and buttons that one of them opens.
const BUTTONS: usize = 3;
const SUB_BUTTONS: usize = 5;

impl Menu {
    pub fn of(file: Option<&Path>) -> Result<Menu, Problem> {
        let Some(file) = file else { return Menu::read(DEFAULT) };
        let named = |error: &dyn std::fmt::Display| Problem::from(format!("--menu {}: {error}", file.display()));
        Menu::read(&fs::read_to_string(file).map_err(|error| named(&error))?).map_err(|error| named(&error))
    }

    fn read(json: &str) -> Result<Menu, Problem> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum File {
            Got { menu: Menu },
            Created(Menu),
        }
        // Read as a value first: the error of an untagged enum tells nothing of the JSON's own faults.
        let value: serde_json::Value = serde_json::from_str(json)?;
        let menu = match serde_json::from_value(value) {
            Ok(File::Got { menu } | File::Created(menu)) => menu,
            Err(_) => return Err(r#"it is not of the form {"button":[{"type":"click","name":"…","key":"…"}]}"#.into()),
        };
        menu.check()?;
        Ok(menu)
    }

    /// What the console would refuse.
    fn check(&self) -> Result<(), Problem> {
        if self.button.len() > BUTTONS {
            return Err(format!("{} buttons, {BUTTONS} are allowed", self.button.len()).into());
        }
        for button in &self.button {
            if button.sub_button.len() > SUB_BUTTONS {
                let found = button.sub_button.len();
                return Err(format!("`{}` has {found} buttons, {SUB_BUTTONS} are allowed", button.name).into());
            }
            if button.sub_button.is_empty() {
                button.check()?;
            }
            button.sub_button.iter().try_for_each(Button::check)?;
        }
        Ok(())
    }

    /// The button at a place: `[1]`, or `[1, 0]` for the first that the second one opens.
    pub fn button(&self, place: &[usize]) -> Option<&Button> {
        let (first, rest) = place.split_first()?;
        let button = self.button.get(*first)?;
        match rest {
            [] => Some(button).filter(|button| button.sub_button.is_empty()),
            [second] => button.sub_button.get(*second),
            _ => None,
        }
    }
}

impl Button {
    fn check(&self) -> Result<(), Problem> {
        let missing = |field| Err(format!("button `{}` has no `{field}`", self.name).into());
        match &*self.kind {
            "" => missing("type"),
            "view" | "miniprogram" if self.url.is_none() => missing("url"),
            "miniprogram" if self.pagepath.is_none() => missing("pagepath"),
            "click" | "scancode_push" | "scancode_waitmsg" | "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin"
            | "location_select"
                if self.key.is_none() =>
            {
                missing("key")
            }
            _ => Ok(()),
        }
    }

    /// The event that WeChat pushes when the button is pressed; `None` for a type that WeChat answers by itself.
    pub fn press<'w>(&self, wechat: &'w WeChat) -> Option<Draft<'w>> {
        let key = |key: &Option<String>| key.clone().unwrap_or_default();
        let (event, key) = match &*self.kind {
            "click" => ("CLICK", key(&self.key)),
            "view" => ("VIEW", key(&self.url)),
            "miniprogram" => ("view_miniprogram", key(&self.pagepath)),
            "scancode_push" | "scancode_waitmsg" | "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin"
            | "location_select" => (&*self.kind, key(&self.key)),
            _ => return None,
        };
        Some(wechat.push(event).set("EventKey", &key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        Menu::read(json).unwrap_err().to_string()
    }

    #[test]
    fn the_form_of_menu_get_is_read_like_that_of_menu_create() {
        let created = r#"{"button":[{"type":"click","name":"A","key":"K"}]}"#;
        let got = format!(r#"{{"menu":{created}}}"#);
        let json = |menu: Menu| serde_json::to_string(&menu).unwrap();
        assert_eq!(json(Menu::read(&got).unwrap()), r#"{"button":[{"name":"A","type":"click","key":"K"}]}"#);
        assert_eq!(json(Menu::read(created).unwrap()), json(Menu::read(&got).unwrap()));
    }

    #[test]
    fn what_the_console_refuses_is_refused_with_its_reason() {
        let button = r#"{"type":"click","name":"A","key":"K"}"#;
        let four = format!(r#"{{"button":[{button},{button},{button},{button}]}}"#);
        assert_eq!(refused(&four), "4 buttons, 3 are allowed");
        let six = format!(r#"{{"button":[{{"name":"B","sub_button":[{}]}}]}}"#, [button; 6].join(","));
        assert_eq!(refused(&six), "`B` has 6 buttons, 5 are allowed");
        assert_eq!(refused(r#"{"button":[{"type":"click","name":"A"}]}"#), "button `A` has no `key`");
        assert_eq!(refused(r#"{"button":[{"type":"view","name":"A"}]}"#), "button `A` has no `url`");
        assert_eq!(refused(r#"{"button":[{"name":"A"}]}"#), "button `A` has no `type`");
        assert_eq!(refused("[]"), r#"it is not of the form {"button":[{"type":"click","name":"…","key":"…"}]}"#);
        assert_eq!(refused("{"), "EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn a_button_that_opens_others_is_no_button_to_press() {
        let menu = Menu::of(None).unwrap();
        let name = |place: &[usize]| menu.button(place).map(|button| button.name.clone());
        assert_eq!(name(&[0]).as_deref(), Some("Dishes"));
        assert_eq!(name(&[1]), None);
        assert_eq!(name(&[1, 0]).as_deref(), Some("Call a waiter"));
        assert_eq!(name(&[1, 9]), None);
        assert_eq!(name(&[]), None);
    }
}

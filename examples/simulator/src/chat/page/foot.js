// The foot of the phone: menu, keyboard, «+», or nothing but «follow».

import { byId, el, icon, toast } from './elements.js';
import { ask, other, scan } from './dialogs.js';
import { act, push, state } from './state.js';
import { language, t } from './words.js';

let keyboard = sessionStorage.getItem('keyboard') === 'yes';

/** `null` until it is known. */
let shown = null;

export function showFollowing(now) {
  if (now === shown) return;
  shown = now;
  state.following = now;
  byId('unfollowed').hidden = now;
  showFoot();
  byId('text').disabled = !now;
  showPanel(false);
}

function showFoot() {
  const hasMenu = state.setup.menu.button.length > 0;
  const typing = keyboard || !hasMenu;
  byId('menubar').hidden = !state.following || typing;
  byId('inputbar').hidden = !state.following || !typing;
  byId('to-menu').hidden = !hasMenu;
}

export function showKeyboard(yes) {
  keyboard = yes;
  sessionStorage.setItem('keyboard', yes ? 'yes' : 'no');
  closeMenus();
  showPanel(false);
  showFoot();
  byId(yes ? 'text' : 'to-keyboard').focus();
}

export function showPanel(yes) {
  const panel = byId('panel');
  panel.hidden = !yes;
  byId('plus').setAttribute('aria-expanded', String(yes));
  if (yes) {
    panel.querySelector('button')?.focus();
  }
}

export function makeMenu() {
  const bar = byId('menu');
  bar.replaceChildren(...state.setup.menu.button.map((button, index) => {
    const subs = button.sub_button ?? [];
    if (!subs.length) {
      return el('div', { class: 'item', role: 'none' }, el('button', { type: 'button', class: 'plain', role: 'menuitem', title: explain(button),
        onclick: () => { closeMenus(); press([index], button); } }, nameOf(button)));
    }
    const popup = el('div', { class: 'popup', role: 'menu', 'aria-label': nameOf(button), hidden: true }, subs.map((sub, second) =>
      el('button', { type: 'button', class: 'plain', role: 'menuitem', title: explain(sub),
        onclick: () => { closeMenus(); opener.focus(); press([index, second], sub); } }, nameOf(sub))));
    const opener = el('button', { type: 'button', class: 'plain', role: 'menuitem', 'aria-haspopup': 'menu', 'aria-expanded': 'false',
      onclick: (event) => {
        const open = popup.hidden;
        closeMenus();
        popup.hidden = !open;
        opener.setAttribute('aria-expanded', String(open));
        // By keyboard, the first one is the next to press.
        if (open && event.detail === 0) popup.firstElementChild.focus();
      } }, icon('bars', 'bars'), nameOf(button));
    popup.addEventListener('keydown', (event) => {
      const items = [...popup.children];
      const at = items.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
      if (event.key === 'Escape') { closeMenus(); opener.focus(); }
      if (to === undefined) return;
      event.preventDefault();
      items[(to + items.length) % items.length].focus();
    });
    return el('div', { class: 'item', role: 'none' }, popup, opener);
  }));
}

/** A menu may have names for Chinese browsers. */
const nameOf = (button) => (language === 'zh' ? button.name_zh : null) ?? button.name;

const explain = (button) => `${button.type}: ${button.key ?? button.pagepath ?? button.url ?? ''}`;

export function closeMenus() {
  for (const popup of document.querySelectorAll('.popup')) popup.hidden = true;
  for (const opener of document.querySelectorAll('[aria-haspopup="menu"]')) opener.setAttribute('aria-expanded', 'false');
}

async function press(place, button) {
  const go = (set) => act({ press: { button: place, set } });
  switch (button.type) {
    case 'scancode_push':
    case 'scancode_waitmsg':
      return ask(nameOf(button), t('scan'), [{ path: 'ScanCodeInfo/ScanResult', name: t('code_content'), value: 'https://example.com/7' }], go);
    case 'location_select':
      return ask(nameOf(button), t('send'), placeFields('SendLocationInfo/'), go);
    case 'view':
      if (await go([])) toast(t('opens', { address: button.url }));
      return undefined;
    case 'miniprogram':
      if (await go([])) toast(t('opens_mini_program', { path: button.pagepath }));
      return undefined;
    default:
      return go([]);
  }
}

const placeFields = (front) => [
  { path: `${front}Label`, name: t('place'), value: '广州市越秀区府前路1号' },
  { path: `${front}Location_X`, name: t('latitude'), value: '23.129163' },
  { path: `${front}Location_Y`, name: t('longitude'), value: '113.264435' },
];

export function makePanel() {
  const cells = [
    ['picture', t('picture'), () => push('image')],
    ['voice', t('voice'), () => ask(t('send_voice'), t('send'), [{ path: 'Recognition', name: t('recognition'), value: '帮我订明天晚上六点的位子。' }], (set) => push('voice', set))],
    ['video', t('video'), () => push('video')],
    ['location', t('location'), () => ask(t('send_location'), t('send'), placeFields(''), (set) => push('location', set))],
    ['scan', t('scan_code'), scan],
    ['link', t('link'), () => ask(t('send_link'), t('send'), [
      { path: 'Title', name: t('title'), value: '春茶怎么存放' },
      { path: 'Description', name: t('description'), value: '密封、避光、防潮' },
      { path: 'Url', name: t('address'), value: 'https://example.com/tea' },
    ], (set) => push('link', set))],
    ['leave', t('unfollow'), () => push('unsubscribe')],
    ['other', t('any_other'), other],
  ];
  byId('panel').replaceChildren(...cells.map(([name, label, go]) =>
    el('button', { type: 'button', class: 'plain cell', onclick: () => { showPanel(false); byId('plus').focus(); go(); } }, el('span', { class: 'tile' }, icon(name)), label)));
}

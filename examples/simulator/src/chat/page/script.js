// The page of `wechat-simulator chat`: it shows what the server tells of the conversation, and says what is done here.
// Texts of others go into the page as text alone.
'use strict';

const FAULT_LINE = '该公众号提供的服务出现故障，请稍后再试';
// WeChat's schedule, in milliseconds from a push's first moment; payments have others.
const DELIVERIES = [0, 5070, 10080];
const PATIENCE = 5000;
// What the time line shows.
const AXIS = 15200;

const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children, which are elements or texts. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== '' && child !== false));
  return element;
}

function icon(name, className = 'icon') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

const two = (number) => String(number).padStart(2, '0');
const seconds = (millis) => `${(millis / 1000).toFixed(2)} s`;
const duration = (millis) => (millis < 1000 ? `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms` : seconds(millis));

/* What is known. */

let setup = null;
const pushes = new Map();
let following = true;
let selected = null;
// The delivery that is looked at; the last one, unless another was chosen.
let chosenAttempt = null;
const view = { request: 'clear', answer: 'opened' };
// Whether the headers are shown.
const heads = { request: false, answer: true };

/* Talking to the server. */

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  });
  if (response.status === 204) return null;
  const text = await response.text();
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { problem: text };
  }
  if (!response.ok) throw new Error(answer.problem ?? `the simulator answers ${response.status}`);
  return answer;
}

async function act(what) {
  byId('toast').hidden = true;
  try {
    await post('/api/acts', what);
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

function listen() {
  const source = new EventSource('/api/changes');
  source.addEventListener('message', (message) => {
    const { run, change } = JSON.parse(message.data);
    // The simulator was started anew, perhaps with another account.
    if (run !== setup.run) return location.reload();
    apply(change);
    connected(true);
  });
  source.addEventListener('error', () => connected(false));
}

function connected(yes) {
  const link = byId('link');
  const text = yes ? '' : 'The simulator has ended. Start it again.';
  if (link.textContent !== text) link.textContent = text;
  document.body.classList.toggle('lost', !yes);
}

let first = true;

function apply(change) {
  for (const id of [...pushes.keys()]) {
    if (id < change.oldest) forget(id);
  }
  const before = Math.max(0, ...pushes.keys());
  let newest = null;
  const arrived = [];
  for (const push of change.pushes) {
    if (push.id > before) newest = push.id;
    const known = pushes.get(push.id);
    if (known && known.revision === push.revision) continue;
    pushes.set(push.id, push);
    showRow(push);
    for (const bubble of bubblesOf(push)) arrived.push(bubble);
    if (push.id === selected) showDetail();
  }
  arrived.sort((a, b) => a.at - b.at);
  showBubbles(arrived);
  if (newest !== null) select(newest);
  else if (selected === null || first) showDetail();
  showFollowing(change.following);
  first = false;
  tick();
}

function forget(id) {
  pushes.delete(id);
  byId(`push-${id}`)?.remove();
  for (const key of [`${id}-said`, `${id}-shown`]) {
    bubbles.get(key)?.forEach((node) => node.remove());
    bubbles.delete(key);
  }
  if (!bubbles.size) lastBubbleAt = 0;
  if (selected === id) selected = null;
}

/* The phone. */

const bubbles = new Map();
let lastBubbleAt = 0;

/** What a push brings into the chat and is not there yet. */
function bubblesOf(push) {
  const found = [];
  const add = (side, at, make) => {
    if (!bubbles.has(`${push.id}-${side}`)) found.push({ key: `${push.id}-${side}`, push, side, at, make });
  };
  if (push.said) add('said', push.begun, () => said(push.said));
  const outcome = push.outcome;
  if (outcome && visible.has(outcome.shown)) add('shown', push.begun + outcome.at, () => shown(outcome));
  return found;
}

const visible = new Set(['text', 'image', 'voice', 'video', 'music', 'news', 'fault_line']);

// Whether the end of the chat is in sight, and is to stay so.
let atEnd = true;

function showBubbles(arrived) {
  const chat = byId('chat');
  let own = false;
  for (const { key, push, side, at, make } of arrived) {
    const nodes = [];
    // WeChat tells the time where five minutes have passed.
    if (at - lastBubbleAt > 5 * 60 * 1000) nodes.push(el('div', { class: 'time' }, clockOf(at)));
    lastBubbleAt = at;
    const made = make();
    const row = made.classList.contains('line') || made.classList.contains('articles')
      ? el('div', { class: 'row whole' }, made)
      : el('div', { class: `row ${side}` }, avatar(side), made);
    row.dataset.push = push.id;
    row.dataset.side = side;
    row.addEventListener('click', (event) => {
      if (!event.target.closest('a, button')) select(push.id);
    });
    nodes.push(row);
    chat.append(...nodes);
    bubbles.set(key, nodes);
    own ||= side === 'said';
  }
  if (arrived.length && (atEnd || own)) chat.scrollTop = chat.scrollHeight;
  markSelected();
}

function clockOf(at) {
  const then = new Date(at);
  const time = `${two(then.getHours())}:${two(then.getMinutes())}`;
  return then.toDateString() === new Date().toDateString() ? time : `${then.getMonth() + 1}/${then.getDate()} ${time}`;
}

function avatar(side) {
  return el('div', { class: `avatar ${side}`, 'aria-hidden': 'true' }, icon(side === 'said' ? 'person' : 'account'));
}

function said(said) {
  switch (said.said) {
    case 'text': return el('div', { class: 'bubble' }, said.content);
    case 'image': return picture('Picture');
    case 'voice': return voice(said.recognition);
    case 'video': return video(said.short ? 'Short video' : 'Video', '');
    case 'location': return place(said);
    case 'link': return attachment(said.title, said.description, 'link', '');
    case 'file': return attachment(said.title, said.bytes && `${said.bytes} bytes`, 'file', '');
    default: return attachment(said.title, '', 'other', 'Mini program');
  }
}

function shown(outcome) {
  switch (outcome.shown) {
    case 'text': return el('div', { class: 'bubble' }, ...linked(outcome.content));
    case 'image': return picture(outcome.media_id);
    case 'voice': return voice('', outcome.media_id);
    case 'video': return video(outcome.title || 'Video', outcome.description, outcome.media_id);
    case 'music': return attachment(outcome.title || 'Music', outcome.description, 'note', outcome.url);
    case 'news': return articles(outcome.cards);
    default: return el('div', { class: 'line fault', title: outcome.reason }, el('span', { lang: 'zh' }, FAULT_LINE));
  }
}

function picture(title) {
  return el('div', { class: 'picture', role: 'img', 'aria-label': `Picture ${title}`, title }, icon('picture'));
}

function voice(recognition, title) {
  return el('div', { class: 'bubble voice', title }, icon('wave', 'icon wave'), el('span', {}, '3″'),
    recognition && el('span', { class: 'recognition' }, recognition));
}

function video(name, description, title) {
  return el('div', { class: 'picture wide', title, role: 'img', 'aria-label': name }, icon('play'),
    (name || description) && el('span', { class: 'caption' }, [name, description].filter(Boolean).join(': ')));
}

function place({ label, latitude, longitude }) {
  return el('div', { class: 'place' }, el('strong', {}, label || 'Location'), el('small', {}, `${latitude}, ${longitude}`),
    el('div', { class: 'map', 'aria-hidden': 'true' }, icon('location')));
}

function attachment(title, description, name, below) {
  return el('div', { class: 'attachment' }, el('div', { class: 'about' }, el('strong', {}, title),
    description && el('small', {}, description)), el('div', { class: 'thumb' }, icon(name)),
  below && el('div', { class: 'below' }, below));
}

/** A news reply: one article is a card with its description, of several the first has the large picture. */
function articles(cards) {
  const link = (card, className, ...children) => {
    const address = webAddress(card.url);
    return address
      ? el('a', { class: className, href: address, target: '_blank', rel: 'noopener noreferrer', title: card.url }, ...children)
      : el('div', { class: className, title: card.url || 'no address' }, ...children);
  };
  const cover = (card, ...children) =>
    el('div', { class: 'cover', title: card.pic_url ? `picture ${card.pic_url}` : 'no picture' }, icon('picture'), ...children);
  if (cards.length === 1) {
    const [card] = cards;
    return el('div', { class: 'articles single' }, link(card, 'article', cover(card),
      el('strong', {}, card.title), card.description && el('p', {}, card.description)));
  }
  return el('div', { class: 'articles' }, cards.map((card, index) => index === 0
    ? link(card, 'article lead', cover(card, el('strong', {}, card.title)))
    : link(card, 'article', el('span', {}, card.title), el('div', { class: 'thumb' }, icon('picture')))));
}

function webAddress(text) {
  try {
    const url = new URL(text);
    return ['http:', 'https:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * A text reply as WeChat reads it: texts, and links. Of all markup it knows `<a>` with an address or a mini program's app
 * id; whatever else stands in angle brackets it shows as it is. A bare address is a link too.
 */
function readText(text) {
  const parts = [];
  const pattern = /<a\s((?:"[^"]*"|'[^']*'|[^>"'])*)>([\s\S]*?)<\/a>|(https?:\/\/[^\s<>"'，。；）]+)/gi;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, attributes, name, address] = match;
    const target = address ?? targetOf(attributes);
    if (!target) continue;
    parts.push(text.slice(end, match.index), { target, name: name ?? address });
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/** Where an `<a>` with these attributes leads; to a mini program, if it names one. */
function targetOf(attributes) {
  const attribute = (name) => {
    const [, quoted, single] = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes) ?? [];
    return (quoted ?? single ?? '').replaceAll('&amp;', '&');
  };
  const appId = attribute('data-miniprogram-appid');
  return appId ? `mini program ${appId} ${attribute('data-miniprogram-path')}` : attribute('href');
}

/** The same as it stands in a bubble; links to `weixin://bizmsgmenu` say something. */
function linked(text) {
  return readText(text).map((part) => (part.target ? anchor(part.target, part.name) : part));
}

/** The same as its words alone. */
function words(text) {
  return readText(text).map((part) => part.name ?? part).join('');
}

function anchor(target, name) {
  if (target.startsWith('weixin://bizmsgmenu?')) {
    const query = new URLSearchParams(target.slice(target.indexOf('?')));
    const content = query.get('msgmenucontent') ?? name;
    const bizmsgmenuid = query.get('msgmenuid');
    return el('button', { type: 'button', class: 'inline', title: target, onclick: () => act({ text: { content, bizmsgmenuid } }) }, name);
  }
  const address = webAddress(target);
  return address
    ? el('a', { href: address, target: '_blank', rel: 'noopener noreferrer', title: target }, name)
    : el('span', { class: 'inline', title: target }, name);
}

let toastTimer = null;
function toast(text) {
  const box = byId('toast');
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 2500);
}

/* The foot of the phone: menu, keyboard, «+», or nothing but «follow». */

let keyboard = sessionStorage.getItem('keyboard') === 'yes';

function showFollowing(now) {
  if (!first && now === following) return;
  following = now;
  byId('unfollowed').hidden = now;
  showFoot();
  byId('text').disabled = !now;
  showPanel(false);
}

function showFoot() {
  const hasMenu = setup.menu.button.length > 0;
  const typing = keyboard || !hasMenu;
  byId('menubar').hidden = !following || typing;
  byId('inputbar').hidden = !following || !typing;
  byId('to-menu').hidden = !hasMenu;
}

function showKeyboard(yes) {
  keyboard = yes;
  sessionStorage.setItem('keyboard', yes ? 'yes' : 'no');
  closeMenus();
  showPanel(false);
  showFoot();
  byId(yes ? 'text' : 'to-keyboard').focus();
}

function showPanel(yes) {
  const panel = byId('panel');
  panel.hidden = !yes;
  byId('plus').setAttribute('aria-expanded', String(yes));
  if (yes) {
    panel.querySelector('button')?.focus();
  }
}

function makeMenu() {
  const bar = byId('menu');
  bar.replaceChildren(...setup.menu.button.map((button, index) => {
    const subs = button.sub_button ?? [];
    if (!subs.length) {
      return el('div', { class: 'item', role: 'none' }, el('button', { type: 'button', class: 'plain', role: 'menuitem', title: explain(button),
        onclick: () => { closeMenus(); press([index], button); } }, button.name));
    }
    const popup = el('div', { class: 'popup', role: 'menu', 'aria-label': button.name, hidden: true }, subs.map((sub, second) =>
      el('button', { type: 'button', class: 'plain', role: 'menuitem', title: explain(sub),
        onclick: () => { closeMenus(); opener.focus(); press([index, second], sub); } }, sub.name)));
    const opener = el('button', { type: 'button', class: 'plain', role: 'menuitem', 'aria-haspopup': 'menu', 'aria-expanded': 'false',
      onclick: (event) => {
        const open = popup.hidden;
        closeMenus();
        popup.hidden = !open;
        opener.setAttribute('aria-expanded', String(open));
        // By keyboard, the first one is the next to press.
        if (open && event.detail === 0) popup.firstElementChild.focus();
      } }, icon('bars', 'bars'), button.name);
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

const explain = (button) => `${button.type}: ${button.key ?? button.pagepath ?? button.url ?? ''}`;

function closeMenus() {
  for (const popup of document.querySelectorAll('.popup')) popup.hidden = true;
  for (const opener of document.querySelectorAll('[aria-haspopup="menu"]')) opener.setAttribute('aria-expanded', 'false');
}

async function press(place, button) {
  const go = (set) => act({ press: { button: place, set } });
  switch (button.type) {
    case 'scancode_push':
    case 'scancode_waitmsg':
      return ask(button.name, 'Scan', [{ path: 'ScanCodeInfo/ScanResult', name: 'What the code says', value: 'https://example.com/7' }], go);
    case 'location_select':
      return ask(button.name, 'Send', placeFields('SendLocationInfo/'), go);
    case 'view':
      if (await go([])) toast(`WeChat opens ${button.url}`);
      return undefined;
    case 'miniprogram':
      if (await go([])) toast(`WeChat opens the mini program at ${button.pagepath}`);
      return undefined;
    default:
      return go([]);
  }
}

const placeFields = (front) => [
  { path: `${front}Label`, name: 'Place', value: '广州市越秀区府前路1号' },
  { path: `${front}Location_X`, name: 'Latitude', value: '23.129163' },
  { path: `${front}Location_Y`, name: 'Longitude', value: '113.264435' },
];

const push = (kind, set = [], without = []) => act({ push: { kind, set, without } });

function makePanel() {
  const cells = [
    ['picture', 'Picture', () => push('image')],
    ['voice', 'Voice', () => ask('Send a voice message', 'Send', [{ path: 'Recognition', name: 'What is said (语音识别)', value: '帮我订明天晚上六点的位子。' }], (set) => push('voice', set))],
    ['video', 'Video', () => push('video')],
    ['location', 'Location', () => ask('Send a location', 'Send', placeFields(''), (set) => push('location', set))],
    ['scan', 'Scan a code', scan],
    ['link', 'Link', () => ask('Send a link', 'Send', [
      { path: 'Title', name: 'Title', value: '春茶怎么存放' },
      { path: 'Description', name: 'Description', value: '密封、避光、防潮' },
      { path: 'Url', name: 'Address', value: 'https://example.com/tea' },
    ], (set) => push('link', set))],
    ['leave', 'Unfollow', () => push('unsubscribe')],
    ['other', 'Any other…', () => other()],
  ];
  byId('panel').replaceChildren(...cells.map(([name, label, go]) =>
    el('button', { type: 'button', class: 'plain cell', onclick: () => { showPanel(false); byId('plus').focus(); go(); } }, el('span', { class: 'tile' }, icon(name)), label)));
}

const scan = () => ask(following ? 'Scan a code of this account' : 'Follow by a code of this account', 'Scan',
  [{ path: 'scene', name: 'The code’s scene (scene_id or scene_str)', value: '7' }],
  ([[, scene]]) => act({ scan: { scene } }));

/* Dialogs. */

/** Asks for a few texts, and gives them as pairs of path and value. */
function ask(title, verb, fields, done) {
  const inputs = fields.map(({ name, value }) => el('input', { type: 'text', value, 'aria-label': name }));
  dialog(title, 'small', [
    ...fields.map(({ name, path }, index) => el('label', {}, el('span', {}, name, path.includes('scene') ? '' : el('code', {}, path)), inputs[index])),
  ], verb, () => done(fields.map(({ path }, index) => [path, inputs[index].value])));
  inputs[0].select();
}

/** Opens the dialog; `done` may return false to keep it open. */
function dialog(title, size, content, verb, done, ...more) {
  const box = byId('dialog');
  const submit = async (event) => {
    event.preventDefault();
    if (await done() !== false) box.close();
  };
  box.className = size;
  box.replaceChildren(el('form', { method: 'dialog', onsubmit: submit },
    el('h2', { id: 'dialog-title' }, title),
    el('div', { class: 'content' }, content),
    el('div', { class: 'buttons' }, more, el('span', { class: 'space' }),
      el('button', { type: 'button', class: 'secondary', onclick: () => box.close() }, verb ? 'Cancel' : 'Close'),
      verb && el('button', { type: 'submit', class: 'primary' }, verb))));
  if (!box.open) box.showModal();
}

const GROUPS = {
  Message: 'Messages', Account: 'Follow, scan, location, menu', Menu: 'The menu’s special buttons', Job: 'Jobs and notifications',
  Service: 'Customer service and users’ data', Card: 'Cards, invoices, the old shop', Store: 'Stores, Wi-Fi, products',
  Verification: 'Accreditation', Platform: 'Third-party platform',
};

/** Any kind of the catalogue, each with its fields. */
function other() {
  const search = el('input', { type: 'search', placeholder: 'Search, or name a new event', 'aria-label': 'Search the kinds of push' });
  const list = el('select', { size: 12, 'aria-label': 'Kind of push' });
  const fields = el('div', { class: 'fields' });
  let rows = [];
  const fill = () => {
    const wanted = search.value.trim().toLowerCase();
    const matches = setup.kinds.filter((kind) => !wanted || kind.name.toLowerCase().includes(wanted)
      || kind.variant.toLowerCase().includes(wanted) || GROUPS[kind.group]?.toLowerCase().includes(wanted));
    const groups = [...new Set(matches.map((kind) => kind.group))];
    list.replaceChildren(...groups.map((group) => el('optgroup', { label: GROUPS[group] ?? group },
      matches.filter((kind) => kind.group === group).map((kind) => el('option', { value: kind.name }, kind.name)))));
    if (wanted && !setup.kinds.some((kind) => kind.name.toLowerCase() === wanted)) {
      list.append(el('optgroup', { label: 'An event that nobody knows' }, el('option', { value: search.value.trim() }, search.value.trim())));
    }
    list.selectedIndex = 0;
    show();
  };
  const show = () => {
    const kind = setup.kinds.find((kind) => kind.name === list.value);
    const given = kind ? kind.fields : [
      { path: 'ToUserName', value: setup.account_id }, { path: 'FromUserName', value: setup.follower }, { path: 'EventKey', value: null }];
    rows = given.map(({ path, value }) => {
      const input = el('input', { type: 'text', value: value ?? '', placeholder: value === null ? 'not sent' : 'empty', 'aria-label': path });
      const row = { path, value, input, gone: false };
      const remove = el('button', { type: 'button', class: 'plain remove', 'aria-label': `Leave ${path} out`, title: 'Leave it out', onclick: () => {
        row.gone = !row.gone;
        input.disabled = row.gone;
        line.classList.toggle('gone', row.gone);
        remove.textContent = row.gone ? '↺' : '×';
      } }, '×');
      const line = el('div', { class: 'field' }, el('code', { title: path }, path), input, value === null ? el('span') : remove);
      row.line = line;
      return row;
    });
    const takes = !kind ? 'WeChat’s own new event' : `WeChat ${TAKES[kind.takes]}`;
    fields.replaceChildren(el('p', { class: 'hint' }, el('strong', {}, list.value), ` ${takes}`), ...rows.map((row) => row.line));
  };
  const what = () => ({
    push: {
      kind: list.value,
      set: rows.filter((row) => !row.gone && row.input.value !== (row.value ?? '')).map((row) => [row.path, row.input.value]),
      without: rows.filter((row) => row.gone).map((row) => row.path),
    },
  });
  search.addEventListener('input', fill);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') { event.preventDefault(); list.focus(); }
  });
  list.addEventListener('change', show);
  const asXml = el('button', { type: 'button', class: 'secondary', onclick: async () => {
    try {
      raw((await post('/api/preview', what())).messages[0]);
    } catch (error) {
      toast(error.message);
    }
  } }, 'Edit as XML');
  dialog('Any other push', 'large', [el('div', { class: 'kinds' }, search, list), fields], 'Push', () => act(what()), asXml);
  fill();
  search.focus();
}

/** A push of one's own bytes. */
function raw(message) {
  const text = el('textarea', { class: 'xml', rows: 16, spellcheck: 'false', 'aria-label': 'The push, XML or JSON, in the clear', value: message });
  dialog('Your own push', 'large one', [
    el('p', { class: 'hint' }, 'In the clear, XML or JSON. It is signed and sealed as it stands, whatever it says.'), text,
  ], 'Push', () => act({ raw: { message: text.value } }));
  text.focus();
  text.setSelectionRange(0, 0);
}

function profile() {
  const line = (name, value) => [el('dt', {}, name), el('dd', {}, value)];
  const change = following
    ? el('button', { type: 'button', class: 'warn', onclick: () => { byId('dialog').close(); push('unsubscribe'); } }, 'Unfollow ', el('span', { lang: 'zh' }, '取消关注'))
    : el('button', { type: 'button', class: 'primary', onclick: () => { byId('dialog').close(); act({ follow: {} }); } }, 'Follow ', el('span', { lang: 'zh' }, '关注'));
  dialog(setup.name, 'small', [el('dl', {}, line('The account', el('code', {}, setup.account_id)), line('You', el('code', {}, setup.follower)),
    line('State', following ? 'you follow the account' : 'you do not follow the account'))], null, () => true, change);
}

/* The list of pushes. */

function showRow(push) {
  const row = el('div', { id: `push-${push.id}`, class: 'push', role: 'option', 'aria-selected': String(push.id === selected), onclick: () => select(push.id) },
    el('span', { class: 'when' }, timeOf(push.begun)),
    el('span', { class: 'kind' }, nameOf(push)),
    el('span', { class: 'summary' }, push.summary),
    lane(push),
    el('span', { class: `sees ${toneOf(push)}` }, sees(push)));
  const old = byId(row.id);
  if (old) old.replaceWith(row);
  else byId('pushes').prepend(row);
}

const nameOf = (push) => push.name || (push.address_check ? 'address check' : 'of no kind');

function timeOf(at) {
  const then = new Date(at);
  return `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
}

const toneOf = (push) => push.outcome?.tone ?? 'running';

/** In a few words. */
function sees(push) {
  const outcome = push.outcome;
  if (!outcome) return push.attempts.length > 1 ? `waits, delivery ${push.attempts.length}` : 'waits';
  switch (outcome.shown) {
    case 'text': return words(outcome.content);
    case 'image': return 'a picture';
    case 'voice': return 'a voice message';
    case 'video': return outcome.title || 'a video';
    case 'music': return outcome.title || 'music';
    case 'news': return outcome.cards.length === 1 ? outcome.cards[0].title : `${outcome.cards.length} cards`;
    case 'customer_service': return 'goes on with a human';
    case 'biz_ai': return 'goes on with WeChat’s AI';
    case 'done': return 'done';
    case 'given_up': return 'not done: WeChat gives up';
    case 'fault_line': return 'the fault line';
    case 'lost': return 'nothing: it is lost';
    case 'confirmed': return 'confirmed';
    case 'refused': return 'not confirmed';
    default: return 'nothing';
  }
}

/** Bars of all deliveries, on one line. */
function lane(push) {
  return el('span', { class: 'lane', 'aria-hidden': 'true' }, push.attempts.map((attempt) => bar(push, attempt)));
}

function bar(push, attempt) {
  const tone = attempt.ended === null ? 'running' : attempt.outcome.tone;
  const element = el('span', { class: `attempt ${tone}` });
  stretch(element, attempt.sent, attempt.ended ?? Math.min(Date.now() - push.begun, attempt.sent + PATIENCE));
  if (attempt.ended === null) {
    element.dataset.begun = push.begun;
    element.dataset.sent = attempt.sent;
  }
  return element;
}

function stretch(element, from, to) {
  element.style.left = `${(from / AXIS) * 100}%`;
  element.style.width = `${Math.max(0, (to - from) / AXIS) * 100}%`;
}

let ticking = false;
/** Lets the bars of running deliveries grow. */
function tick() {
  if (ticking) return;
  const step = () => {
    const running = document.querySelectorAll('.attempt.running');
    for (const element of running) {
      const { begun, sent } = element.dataset;
      stretch(element, Number(sent), Math.min(Date.now() - Number(begun), Number(sent) + PATIENCE));
    }
    ticking = running.length > 0;
    if (ticking) requestAnimationFrame(step);
  };
  ticking = true;
  requestAnimationFrame(step);
}

function select(id) {
  selected = id;
  chosenAttempt = null;
  markSelected();
  byId(`push-${id}`)?.scrollIntoView({ block: 'nearest' });
  showDetail();
}

function markSelected() {
  for (const row of byId('pushes').children) row.setAttribute('aria-selected', String(row.id === `push-${selected}`));
  byId('pushes').setAttribute('aria-activedescendant', selected === null ? '' : `push-${selected}`);
  for (const row of byId('chat').children) row.classList.toggle('selected', row.dataset.push === String(selected));
}

/* The selected push. */

function showDetail() {
  const push = pushes.get(selected);
  const detail = byId('detail');
  if (!push) {
    detail.replaceChildren(el('div', { class: 'empty' }, el('p', {}, pushes.size ? 'Choose a push.' : 'Nothing was pushed yet.'),
      pushes.size ? '' : el('p', {}, 'Type a text or press the menu on the phone: each push and its answer stand here.')));
    return;
  }
  // What is built anew keeps the focus where it was.
  const focused = detail.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const index = chosenAttempt ?? push.attempts.length - 1;
  const attempt = push.attempts[index];
  detail.replaceChildren(heading(push), verdict(push), timeline(push, index), exchange(push, attempt));
  if (focused) detail.querySelector(`[data-key="${focused}"]`)?.focus();
}

function heading(push) {
  const button = (key, name, title, go) => el('button', { type: 'button', class: 'secondary', 'data-key': key, title, onclick: go }, name);
  const isPush = !push.address_check;
  return el('div', { class: 'heading' }, el('h3', {}, nameOf(push)),
    isPush && el('span', { class: `badge ${push.takes_reply ? '' : 'none'}` }, TAKES[push.takes]),
    el('span', { class: 'space' }),
    isPush && button('again', 'Push again', 'The same bytes once more: a receiver must not handle them twice', () => act({ again: { id: push.id } })),
    isPush && push.message.whole && button('edit', 'Edit…', 'A push like this one', () => raw(push.message.text)),
    push.attempts.at(-1)?.body.whole && button('curl', 'Copy as curl', 'The request as a command', () => copyCurl(push)));
}

// What WeChat takes as the answer to a push or to a kind.
const TAKES = {
  reply: 'takes a reply', success: 'takes no reply', code: 'takes a code', opinion: 'takes an opinion for Apple',
};

function verdict(push) {
  const outcome = push.outcome;
  return el('p', { class: `verdict ${toneOf(push)}`, 'data-shown': outcome?.shown ?? 'running' }, el('span', { class: 'dot', 'aria-hidden': 'true' }),
    el('span', {}, outcome ? `WeChat ${outcome.verdict}` : 'WeChat waits for an answer'), note(push));
}

/** What the deliveries mean, and what to look at first. */
function note(push) {
  const { attempts, outcome } = push;
  const silent = attempts.filter((attempt) => attempt.outcome?.tone === 'silent').length;
  const notes = [];
  if (push.takes === 'code') {
    if (silent) notes.push(`WeChat delivers it again until it is done, with pauses that grow to hours; here they last a second. It came ${attempts.length === 1 ? 'once' : `${attempts.length} times`}.`);
  } else if (silent && !outcome) notes.push('No answer came, so WeChat pushes the same again. A receiver must not handle it twice.');
  else if (silent === DELIVERIES.length) notes.push('After three deliveries WeChat gives up. After many such pushes it pushes nothing for a minute.');
  else if (silent) notes.push(`WeChat pushed the same ${attempts.length === 2 ? 'twice' : 'three times'}, and takes the last answer.`);
  if (outcome?.hint) notes.push(outcome.hint);
  return notes.map((text) => el('small', {}, text));
}

function timeline(push, current) {
  const due = push.address_check || push.takes === 'opinion' ? [0] : push.takes === 'code' ? push.attempts.map(({ sent }) => sent) : DELIVERIES;
  const rows = due.map((due, index) => {
    const attempt = push.attempts[index];
    const name = `${index + 1}`;
    if (!attempt) {
      const ghost = el('span', { class: 'ghost' });
      stretch(ghost, due, due + PATIENCE);
      return el('div', { class: 'delivery none' }, el('span', { class: 'name' }, name, el('small', {}, seconds(due))),
        el('span', { class: 'track' }, ghost), el('span', { class: 'result' }, push.outcome ? 'not needed' : 'if it must be'));
    }
    return el('button', { type: 'button', class: 'plain delivery', 'data-key': `delivery-${index}`, 'aria-pressed': String(index === current),
      'aria-label': `Delivery ${name} at ${seconds(attempt.sent)}: ${result(attempt)}`,
      onclick: () => { chosenAttempt = index; showDetail(); } },
    el('span', { class: 'name' }, name, el('small', {}, seconds(attempt.sent))),
    el('span', { class: 'track' }, bar(push, attempt)),
    el('span', { class: `result ${attempt.outcome?.tone ?? 'running'}` }, result(attempt)));
  });
  const ticks = [0, 5000, 10000, 15000].map((at) => {
    const mark = el('span', { class: 'mark' }, `${at / 1000} s`);
    mark.style.left = `${(at / AXIS) * 100}%`;
    return mark;
  });
  return el('div', { class: 'timeline', role: 'group', 'aria-label': 'Deliveries' }, rows,
    el('div', { class: 'axis', 'aria-hidden': 'true' }, el('span'), el('span', { class: 'track' }, ticks), el('span')));
}

function result(attempt) {
  if (attempt.ended === null) return 'waits';
  if (attempt.answer) return `${attempt.answer.head.line.split(' ')[1]} after ${duration(attempt.answer.after)}`;
  if (attempt.silence === 'no answer in time') return `hung up after ${seconds(attempt.ended - attempt.sent)}`;
  return attempt.silence.split(':')[0];
}

function exchange(push, attempt) {
  if (!attempt) return el('div', { class: 'exchange' });
  const { answer } = attempt;
  const isPush = !push.address_check;
  const clear = isPush && view.request === 'clear';
  const readable = answer?.opened ?? (answer && looksLikeXml(answer.body.text) ? answer.body : null);
  const opened = view.answer === 'opened' ? readable : null;
  return el('div', { class: 'exchange' },
    el('section', { 'aria-label': 'Request' }, el('div', { class: 'head' }, el('h4', {}, 'Request'),
      isPush && choice('request', [['clear', 'In the clear'], ['sent', 'As sent']])),
    paper('request', attempt.request, clear ? push.message : attempt.body, clear)),
    el('section', { 'aria-label': 'Answer' }, el('div', { class: 'head' }, el('h4', {}, 'Answer'),
      readable && choice('answer', [['opened', 'Opened'], ['received', 'As received']])),
    answer ? paper('answer', answer.head, opened ?? answer.body, opened !== null)
      : el('div', { class: 'paper nothing' }, attempt.silence ?? 'Nothing yet.')));
}

function choice(which, options) {
  return el('div', { class: 'choice', role: 'group', 'aria-label': `The ${which}’s body` }, options.map(([value, name]) =>
    el('button', { type: 'button', class: 'plain', 'data-key': `${which}-${value}`, 'aria-pressed': String(view[which] === value),
      onclick: () => { view[which] = value; showDetail(); } }, name)));
}

/** A request or an answer; `reading` lays its body out. */
function paper(which, head, body, reading) {
  const [begin, ...rest] = head.line.split(' ');
  const http = el('details', { class: 'http', open: heads[which] },
    el('summary', { 'data-key': `${which}-head`, title: 'Headers' }, el('b', {}, begin), ` ${rest.join(' ')}`),
    head.headers.map(([name, value]) => el('div', {}, el('span', { class: 'header' }, `${name}: `), value)));
  http.addEventListener('toggle', () => { heads[which] = http.open; });
  return el('div', { class: 'paper', tabindex: '0' }, http,
    el('pre', {}, body.bytes ? (reading ? laidOut : colored)(body.text) : el('span', { class: 'header' }, 'no body')),
    !body.whole && el('p', { class: 'cut' }, `… ${body.bytes} bytes in all`));
}

/** XML with a line for each element, for reading; what is no XML stays as it is. */
function laidOut(text) {
  const tokens = text.match(/<!\[CDATA\[[\s\S]*?\]\]>|<[^>]*>|[^<]+/g) ?? [];
  if (!looksLikeXml(text) || tokens.join('') !== text) return colored(text);
  const lines = [];
  let depth = 0;
  // An element that was opened and holds no other so far.
  let open = null;
  for (const token of tokens) {
    if (token.startsWith('</')) {
      depth = Math.max(0, depth - 1);
      if (open) open.text += token;
      else lines.push({ depth, text: token });
      open = null;
    } else if (/^<[A-Za-z_]/.test(token)) {
      const line = { depth, text: token };
      lines.push(line);
      open = token.endsWith('/>') ? null : line;
      if (open) depth += 1;
    } else if (open) open.text += token.trim() === '' ? '' : token;
    else if (token.trim() !== '') lines.push({ depth, text: token });
  }
  return lines.map((line) => {
    const element = el('div', { class: 'element' }, colored(line.text));
    element.style.setProperty('--depth', Math.min(line.depth, 6));
    return element;
  });
}

const looksLikeXml = (text) => text.trimStart().startsWith('<');

/** XML in the colours of its parts; what stands in CDATA is text, whatever it looks like. */
function colored(text) {
  return text.split(/(<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|<\/?[A-Za-z_][^<>]*>)/).filter(Boolean).flatMap((part) => {
    const [, begin, value, end] = /^(<!\[CDATA\[)([\s\S]*?)(\]\]>|$)$/.exec(part) ?? [];
    if (begin) return [el('span', { class: 'cdata' }, begin), value, end && el('span', { class: 'cdata' }, end)].filter(Boolean);
    return /^<\/?[A-Za-z_]/.test(part) ? el('span', { class: 'tag' }, part) : part;
  });
}

async function copyCurl(push) {
  const attempt = push.attempts[chosenAttempt ?? push.attempts.length - 1];
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const [method, path] = attempt.request.line.split(' ');
  const headers = attempt.request.headers.filter(([name]) => !['Host', 'Content-Length'].includes(name));
  const parts = ['curl', '-i', ...headers.flatMap(([name, value]) => ['-H', quoted(`${name}: ${value}`)])];
  if (method === 'POST') parts.push('--data-binary', quoted(attempt.body.text));
  parts.push(quoted(new URL(setup.target).origin + path));
  try {
    await navigator.clipboard.writeText(parts.join(' '));
    toast('Copied');
  } catch {
    // The browser does not let the page copy.
    dialog('The request as a command', 'large one', [el('p', { class: 'hint' }, 'For a shell.'),
      el('textarea', { class: 'xml', readonly: true, rows: 10, 'aria-label': 'The command', value: parts.join(' ') })], null, () => true);
  }
}

/* Hands on. */

function wire() {
  const text = byId('text');
  const grow = () => {
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight, 110)}px`;
    const some = text.value !== '';
    byId('send').hidden = !some;
    byId('plus').hidden = some;
  };
  const send = async () => {
    const content = text.value;
    if (content === '' || !following) return;
    text.value = '';
    grow();
    if (!await act({ text: { content } })) {
      text.value = content;
      grow();
    }
  };
  text.addEventListener('input', grow);
  text.addEventListener('focus', () => showPanel(false));
  text.addEventListener('keydown', (event) => {
    // Enter ends what an input method composes, and sends otherwise.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      send();
    }
  });
  byId('inputbar').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
    text.focus();
  });
  byId('to-keyboard').addEventListener('click', () => showKeyboard(true));
  byId('to-menu').addEventListener('click', () => showKeyboard(false));
  byId('plus').addEventListener('click', () => showPanel(byId('panel').hidden));
  const chat = byId('chat');
  chat.addEventListener('scroll', () => { atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80; });
  new ResizeObserver(() => { if (atEnd) chat.scrollTop = chat.scrollHeight; }).observe(chat);
  chat.addEventListener('click', () => { closeMenus(); showPanel(false); });
  byId('panel').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { showPanel(false); byId('plus').focus(); }
  });
  byId('profile').addEventListener('click', profile);
  byId('follow').addEventListener('click', () => act({ follow: {} }));
  byId('follow-by-code').addEventListener('click', scan);
  byId('unfollowed-other').addEventListener('click', () => other());
  byId('check').addEventListener('click', () => act({ check: {} }));
  byId('clear').addEventListener('click', () => post('/api/clear').catch((error) => toast(error.message)));
  byId('dialog').addEventListener('click', (event) => {
    if (event.target === byId('dialog')) byId('dialog').close();
  });
  byId('pushes').addEventListener('keydown', (event) => {
    const rows = [...byId('pushes').children];
    const at = rows.findIndex((row) => row.id === `push-${selected}`);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || !rows.length) return;
    event.preventDefault();
    select(Number(rows[Math.max(0, Math.min(to, rows.length - 1))].id.slice('push-'.length)));
  });
  document.addEventListener('click', (event) => {
    if (!event.target.closest('.menu')) closeMenus();
  });
  const clock = () => {
    const now = new Date();
    byId('clock').textContent = `${now.getHours()}:${two(now.getMinutes())}`;
  };
  clock();
  setInterval(clock, 5000);
}

async function start() {
  setup = await (await fetch('/api/setup')).json();
  document.title = `${setup.name} · WeChat simulator`;
  byId('name').textContent = setup.name;
  byId('target').textContent = setup.target;
  byId('mode').textContent = `${setup.mode} mode`;
  makeMenu();
  makePanel();
  wire();
  listen();
}

start();

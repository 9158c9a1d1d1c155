// The chat on the phone. Texts of others go into it as text alone.

import { byId, el, icon, two } from './elements.js';
import { select } from './list.js';
import { act, state } from './state.js';
import { t } from './words.js';

const FAULT_LINE = '该公众号提供的服务出现故障，请稍后再试';

const bubbles = new Map();
let lastBubbleAt = 0;

/** What a push brings into the chat and is not there yet. */
export function bubblesOf(push) {
  const found = [];
  const add = (side, at, make) => {
    if (!bubbles.has(`${push.id}-${side}`)) found.push({ key: `${push.id}-${side}`, push, side, at, make });
  };
  if (push.said) add('said', push.begun, () => said(push.said));
  const outcome = push.outcome;
  if (outcome && visible.has(outcome.shown)) add('shown', push.begun + outcome.at, () => shown(outcome));
  // A message that could have had a reply: here it is said that there is none; WeChat itself shows nothing.
  if (push.said && push.takes === 'reply' && outcome?.shown === 'nothing') {
    add('shown', push.begun + outcome.at, () => el('div', { class: 'line nothing' }, t('nothing_shown')));
  }
  return found;
}

const visible = new Set(['text', 'image', 'voice', 'video', 'music', 'news', 'fault_line']);

/** Forgets what a push brought. */
export function forgetBubbles(id) {
  for (const key of [`${id}-said`, `${id}-shown`]) {
    bubbles.get(key)?.forEach((node) => node.remove());
    bubbles.delete(key);
  }
  if (!bubbles.size) lastBubbleAt = 0;
}

// Whether the end of the chat is in sight, and is to stay so.
let atEnd = true;

/** Keeps the end of the chat in sight where it is. */
export function followEnd() {
  const chat = byId('chat');
  chat.addEventListener('scroll', () => { atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80; });
  new ResizeObserver(() => { if (atEnd) chat.scrollTop = chat.scrollHeight; }).observe(chat);
}

export function markBubbles() {
  for (const row of byId('chat').children) row.classList.toggle('selected', row.dataset.push === String(state.selected));
}

export function showBubbles(arrived) {
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
  markBubbles();
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
    case 'image': return picture(t('picture'));
    case 'voice': return voice(said.recognition);
    case 'video': return video(t(said.short ? 'short_video' : 'video'), '');
    case 'location': return place(said);
    case 'link': return attachment(said.title, said.description, 'link', '');
    case 'file': return attachment(said.title, said.bytes && t('bytes', { count: said.bytes }), 'file', '');
    default: return attachment(said.title, '', 'other', t('mini_program'));
  }
}

function shown(outcome) {
  switch (outcome.shown) {
    case 'text': return el('div', { class: 'bubble' }, ...linked(outcome.content));
    case 'image': return picture(outcome.media_id);
    case 'voice': return voice('', outcome.media_id);
    case 'video': return video(outcome.title || t('video'), outcome.description, outcome.media_id);
    case 'music': return attachment(outcome.title || t('music'), outcome.description, 'note', outcome.url);
    case 'news': return articles(outcome.cards);
    default: return el('div', { class: 'line fault', title: outcome.reason }, el('span', { lang: 'zh' }, FAULT_LINE));
  }
}

function picture(title) {
  return el('div', { class: 'picture', role: 'img', 'aria-label': title, title }, icon('picture'));
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
  return el('div', { class: 'place' }, el('strong', {}, label || t('location')), el('small', {}, `${latitude}, ${longitude}`),
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
      : el('div', { class: className, title: card.url || t('no_address') }, ...children);
  };
  const cover = (card, ...children) =>
    el('div', { class: 'cover', title: card.pic_url || t('no_picture') }, icon('picture'), ...children);
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
  return appId ? `${t('mini_program')} ${appId} ${attribute('data-miniprogram-path')}` : attribute('href');
}

/** The same as it stands in a bubble; links to `weixin://bizmsgmenu` say something. */
function linked(text) {
  return readText(text).map((part) => (part.target ? anchor(part.target, part.name) : part));
}

/** The same as its words alone. */
export function words(text) {
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

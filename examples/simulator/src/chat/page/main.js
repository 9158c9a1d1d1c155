// The page of `wechat-simulator chat`: it shows what the server tells of the conversation.
//
//  elements, words, state   what all others build on
//  chat, foot, dialogs      the phone
//  list, detail             the developer's side

import { bubblesOf, followEnd, forgetBubbles, showBubbles } from './chat.js';
import { showDetail } from './detail.js';
import { other, profile, scan } from './dialogs.js';
import { byId, toast, two } from './elements.js';
import { closeMenus, makeMenu, makePanel, showFollowing, showKeyboard, showPanel } from './foot.js';
import { select, showRow, tick } from './list.js';
import { act, post, pushes, state } from './state.js';
import { t, translate } from './words.js';

function listen() {
  const source = new EventSource('/api/changes');
  source.addEventListener('message', (message) => {
    const { run, change } = JSON.parse(message.data);
    // The simulator was started anew, perhaps with another account.
    if (run !== state.setup.run) return location.reload();
    apply(change);
    connected(true);
  });
  source.addEventListener('error', () => connected(false));
}

function connected(yes) {
  const link = byId('link');
  const text = yes ? '' : t('ended');
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
    if (push.id === state.selected) showDetail();
  }
  arrived.sort((a, b) => a.at - b.at);
  showBubbles(arrived);
  if (newest !== null) select(newest);
  else if (state.selected === null || first) showDetail();
  showFollowing(change.following);
  first = false;
  tick();
}

function forget(id) {
  pushes.delete(id);
  byId(`push-${id}`)?.remove();
  forgetBubbles(id);
  if (state.selected === id) state.selected = null;
}

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
    if (content === '' || !state.following) return;
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
  followEnd();
  chat.addEventListener('click', () => { closeMenus(); showPanel(false); });
  byId('panel').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { showPanel(false); byId('plus').focus(); }
  });
  byId('profile').addEventListener('click', profile);
  byId('follow').addEventListener('click', () => act({ follow: {} }));
  byId('follow-by-code').addEventListener('click', scan);
  byId('unfollowed-other').addEventListener('click', other);
  byId('check').addEventListener('click', () => act({ check: {} }));
  byId('clear').addEventListener('click', () => post('/api/clear').catch((error) => toast(error.message)));
  byId('dialog').addEventListener('click', (event) => {
    if (event.target === byId('dialog')) byId('dialog').close();
  });
  byId('pushes').addEventListener('keydown', (event) => {
    const rows = [...byId('pushes').children];
    const at = rows.findIndex((row) => row.id === `push-${state.selected}`);
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
  translate(document);
  state.setup = await (await fetch('/api/setup')).json();
  const name = state.setup.name ?? t('account');
  document.title = `${name} · ${t('simulator')}`;
  byId('name').textContent = name;
  byId('target').textContent = state.setup.target;
  byId('mode').textContent = t(`mode.${state.setup.mode}`);
  makeMenu();
  makePanel();
  wire();
  listen();
}

start();

// The list of pushes, each with its deliveries on a line.

import { markBubbles, words } from './chat.js';
import { showDetail } from './detail.js';
import { byId, el, two } from './elements.js';
import { pushes, state } from './state.js';
import { t } from './words.js';

// Milliseconds that WeChat waits for an answer.
export const PATIENCE = 5000;
// Milliseconds that the time line shows.
export const AXIS = 15200;

export function showRow(push) {
  const row = el('div', { id: `push-${push.id}`, class: 'push', role: 'option', 'aria-selected': String(push.id === state.selected), onclick: () => select(push.id) },
    el('span', { class: 'when' }, timeOf(push.begun)),
    el('span', { class: 'kind' }, nameOf(push)),
    el('span', { class: 'summary' }, push.summary),
    lane(push),
    el('span', { class: `sees ${toneOf(push)}` }, sees(push)));
  const old = byId(row.id);
  if (old) old.replaceWith(row);
  else byId('pushes').prepend(row);
}

export const nameOf = (push) => push.name || t(push.address_check ? 'address_check' : 'no_kind');

function timeOf(at) {
  const then = new Date(at);
  return `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
}

export const toneOf = (push) => push.outcome?.tone ?? 'running';

/** In a few words. */
function sees(push) {
  const outcome = push.outcome;
  if (!outcome) return push.attempts.length > 1 ? t('waits_in', { delivery: push.attempts.length }) : t('waits');
  switch (outcome.shown) {
    case 'text': return words(outcome.content);
    case 'image': return t('picture');
    case 'voice': return t('voice');
    case 'video': return outcome.title || t('video');
    case 'music': return outcome.title || t('music');
    case 'news': return outcome.cards.length === 1 ? outcome.cards[0].title : t('articles', { count: outcome.cards.length });
    case 'customer_service': return t('customer_service');
    case 'biz_ai': return t('biz_ai');
    case 'done': return t('done');
    case 'given_up': return t('given_up');
    case 'fault_line': return t('fault_line');
    case 'lost': return t('lost');
    case 'confirmed': return t('confirmed');
    case 'refused': return t('refused');
    default: return t('nothing');
  }
}

/** Bars of all deliveries, on one line. */
function lane(push) {
  return el('span', { class: 'lane', 'aria-hidden': 'true' }, push.attempts.map((attempt) => bar(push, attempt)));
}

export function bar(push, attempt) {
  const tone = attempt.ended === null ? 'running' : attempt.outcome.tone;
  const element = el('span', { class: `attempt ${tone}` });
  stretch(element, attempt.sent, attempt.ended ?? Math.min(Date.now() - push.begun, attempt.sent + PATIENCE));
  if (attempt.ended === null) {
    element.dataset.begun = push.begun;
    element.dataset.sent = attempt.sent;
  }
  return element;
}

export function stretch(element, from, to) {
  element.style.left = `${(from / AXIS) * 100}%`;
  element.style.width = `${Math.max(0, (to - from) / AXIS) * 100}%`;
}

let ticking = false;
/** Lets the bars of running deliveries grow. */
export function tick() {
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

export function select(id) {
  state.selected = id;
  state.chosenAttempt = null;
  markSelected();
  byId(`push-${id}`)?.scrollIntoView({ block: 'nearest' });
  showDetail();
}

function markSelected() {
  for (const row of byId('pushes').children) row.setAttribute('aria-selected', String(row.id === `push-${state.selected}`));
  byId('pushes').setAttribute('aria-activedescendant', state.selected === null ? '' : `push-${state.selected}`);
  markBubbles();
}

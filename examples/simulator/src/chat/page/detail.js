// The selected push: what WeChat makes of it, its deliveries, request and answer.

import { dialog, raw } from './dialogs.js';
import { byId, duration, el, seconds, toast } from './elements.js';
import { AXIS, PATIENCE, bar, nameOf, stretch, toneOf } from './list.js';
import { act, pushes, state } from './state.js';
import { t, told } from './words.js';

// WeChat's schedule, in milliseconds from a push's first moment; payments have others.
const DELIVERIES = [0, 5070, 10080];

const view = { request: 'clear', answer: 'opened' };
// Whether the headers are shown.
const heads = { request: false, answer: true };

export function showDetail() {
  const push = pushes.get(state.selected);
  const detail = byId('detail');
  if (!push) {
    detail.replaceChildren(el('div', { class: 'empty' }, el('p', {}, t(pushes.size ? 'choose_push' : 'no_push')),
      pushes.size ? '' : el('p', {}, t('no_push_hint'))));
    return;
  }
  // What is built anew keeps the focus where it was.
  const focused = detail.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const index = state.chosenAttempt ?? push.attempts.length - 1;
  const attempt = push.attempts[index];
  detail.replaceChildren(heading(push), verdict(push), timeline(push, index), exchange(push, attempt));
  if (focused) detail.querySelector(`[data-key="${focused}"]`)?.focus();
}

function heading(push) {
  const button = (key, name, title, go) => el('button', { type: 'button', class: 'secondary', 'data-key': key, title, onclick: go }, name);
  const isPush = !push.address_check;
  return el('div', { class: 'heading' }, el('h3', {}, nameOf(push)),
    isPush && el('span', { class: `badge ${push.takes_reply ? '' : 'none'}` }, t(`takes.${push.takes}`)),
    el('span', { class: 'space' }),
    isPush && button('again', t('again'), t('again_hint'), () => act({ again: { id: push.id } })),
    isPush && push.message.whole && button('edit', t('edit'), t('edit_hint'), () => raw(push.message.text)),
    push.attempts.at(-1)?.body.whole && button('curl', t('curl'), t('curl_hint'), () => copyCurl(push)));
}

function verdict(push) {
  const outcome = push.outcome;
  return el('p', { class: `verdict ${toneOf(push)}`, 'data-shown': outcome?.shown ?? 'running' }, el('span', { class: 'dot', 'aria-hidden': 'true' }),
    el('span', {}, outcome ? told(outcome.verdict) : t('wechat_waits')), note(push));
}

/** What the deliveries mean, and what to look at first. */
function note(push) {
  const { attempts, outcome } = push;
  const silent = attempts.filter((attempt) => attempt.outcome?.tone === 'silent').length;
  const notes = [];
  if (push.takes === 'code') {
    if (silent) notes.push(t('note_payment', { count: attempts.length }));
  } else if (silent && !outcome) notes.push(t('note_again'));
  else if (silent === DELIVERIES.length) notes.push(t('note_given_up'));
  else if (silent) notes.push(t('note_retried', { count: attempts.length }));
  if (outcome?.hint) notes.push(told(outcome.hint));
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
        el('span', { class: 'track' }, ghost), el('span', { class: 'result' }, t(push.outcome ? 'not_needed' : 'if_needed')));
    }
    return el('button', { type: 'button', class: 'plain delivery', 'data-key': `delivery-${index}`, 'aria-pressed': String(index === current),
      'aria-label': t('delivery', { number: name, at: seconds(attempt.sent), result: result(attempt) }),
      onclick: () => { state.chosenAttempt = index; showDetail(); } },
    el('span', { class: 'name' }, name, el('small', {}, seconds(attempt.sent))),
    el('span', { class: 'track' }, bar(push, attempt)),
    el('span', { class: `result ${attempt.outcome?.tone ?? 'running'}` }, result(attempt)));
  });
  const ticks = [0, 5000, 10000, 15000].map((at) => {
    const mark = el('span', { class: 'mark' }, `${at / 1000} s`);
    mark.style.left = `${(at / AXIS) * 100}%`;
    return mark;
  });
  return el('div', { class: 'timeline', role: 'group', 'aria-label': t('deliveries') }, rows,
    el('div', { class: 'axis', 'aria-hidden': 'true' }, el('span'), el('span', { class: 'track' }, ticks), el('span')));
}

function result(attempt) {
  if (attempt.ended === null) return t('waits');
  if (attempt.answer) return t('status_after', { status: attempt.answer.head.line.split(' ')[1], time: duration(attempt.answer.after) });
  if (attempt.is_late) return t('hung_up_after', { time: seconds(attempt.ended - attempt.sent) });
  return told(attempt.silence).split(/[:：]/)[0];
}

function exchange(push, attempt) {
  if (!attempt) return el('div', { class: 'exchange' });
  const { answer } = attempt;
  const isPush = !push.address_check;
  const clear = isPush && view.request === 'clear';
  const readable = answer?.opened ?? (answer && looksLikeXml(answer.body.text) ? answer.body : null);
  const opened = view.answer === 'opened' ? readable : null;
  return el('div', { class: 'exchange' },
    el('section', { 'aria-label': t('request'), class: 'request' }, el('div', { class: 'head' }, el('h4', {}, t('request')),
      isPush && choice('request', [['clear', t('plaintext')], ['sent', t('as_sent')]])),
    paper('request', attempt.request, clear ? push.message : attempt.body, clear)),
    el('section', { 'aria-label': t('answer'), class: 'answer' }, el('div', { class: 'head' }, el('h4', {}, t('answer')),
      readable && choice('answer', [['opened', t('plaintext')], ['received', t('as_received')]])),
    answer ? paper('answer', answer.head, opened ?? answer.body, opened !== null)
      : el('div', { class: 'paper nothing' }, attempt.silence ? told(attempt.silence) : t('nothing_yet'))));
}

function choice(which, options) {
  return el('div', { class: 'choice', role: 'group', 'aria-label': t(which) }, options.map(([value, name]) =>
    el('button', { type: 'button', class: 'plain', 'data-key': `${which}-${value}`, 'aria-pressed': String(view[which] === value),
      onclick: () => { view[which] = value; showDetail(); } }, name)));
}

/** A request or an answer; `reading` lays its body out. */
function paper(which, head, body, reading) {
  const [begin, ...rest] = head.line.split(' ');
  const http = el('details', { class: 'http', open: heads[which] },
    el('summary', { 'data-key': `${which}-head`, title: t('headers') }, el('b', {}, begin), ` ${rest.join(' ')}`),
    head.headers.map(([name, value]) => el('div', {}, el('span', { class: 'header' }, `${name}: `), value)));
  http.addEventListener('toggle', () => { heads[which] = http.open; });
  return el('div', { class: 'paper', tabindex: '0' }, http,
    el('pre', {}, body.bytes ? (reading ? laidOut : colored)(body.text) : el('span', { class: 'header' }, t('no_body'))),
    !body.whole && el('p', { class: 'cut' }, t('bytes_in_all', { count: body.bytes })));
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
  const attempt = push.attempts[state.chosenAttempt ?? push.attempts.length - 1];
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const [method, path] = attempt.request.line.split(' ');
  const headers = attempt.request.headers.filter(([name]) => !['Host', 'Content-Length'].includes(name));
  const parts = ['curl', '-i', ...headers.flatMap(([name, value]) => ['-H', quoted(`${name}: ${value}`)])];
  if (method === 'POST') parts.push('--data-binary', quoted(attempt.body.text));
  parts.push(quoted(new URL(state.setup.target).origin + path));
  try {
    await navigator.clipboard.writeText(parts.join(' '));
    toast(t('copied'));
  } catch {
    // The browser does not let the page copy.
    dialog(t('curl_hint'), 'large one', [el('p', { class: 'hint' }, t('for_shell')),
      el('textarea', { class: 'xml', readonly: true, rows: 10, 'aria-label': t('curl_hint'), value: parts.join(' ') })], null, () => true);
  }
}

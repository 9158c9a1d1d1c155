// Dialogs: what the phone asks for, and pushes of any kind.

import { byId, el, toast } from './elements.js';
import { act, post, push, state } from './state.js';
import { t } from './words.js';

/** Asks for a few texts, and gives them as pairs of path and value. */
export function ask(title, verb, fields, done) {
  const inputs = fields.map(({ name, value }) => el('input', { type: 'text', value, 'aria-label': name }));
  dialog(title, 'small', [
    ...fields.map(({ name, path }, index) => el('label', {}, el('span', {}, name, path.includes('scene') ? '' : el('code', {}, path)), inputs[index])),
  ], verb, () => done(fields.map(({ path }, index) => [path, inputs[index].value])));
  inputs[0].select();
}

/** Opens the dialog; `done` may return false to keep it open. */
export function dialog(title, size, content, verb, done, ...more) {
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
      el('button', { type: 'button', class: 'secondary', onclick: () => box.close() }, t(verb ? 'cancel' : 'close')),
      verb && el('button', { type: 'submit', class: 'primary' }, verb))));
  if (!box.open) box.showModal();
}

export const scan = () => ask(t(state.following ? 'scan_own_code' : 'follow_by_code'), t('scan'),
  [{ path: 'scene', name: t('scene'), value: '7' }],
  ([[, scene]]) => act({ scan: { scene } }));

const groupOf = (kind) => t(`group.${kind.group}`);

/** Any kind of the catalogue, each with its fields. */
export function other() {
  const search = el('input', { type: 'search', placeholder: t('search'), 'aria-label': t('search_kinds') });
  const list = el('select', { size: 12, 'aria-label': t('kind') });
  const fields = el('div', { class: 'fields' });
  let rows = [];
  const fill = () => {
    const wanted = search.value.trim().toLowerCase();
    const matches = state.setup.kinds.filter((kind) => !wanted || kind.name.toLowerCase().includes(wanted)
      || kind.variant.toLowerCase().includes(wanted) || groupOf(kind).toLowerCase().includes(wanted));
    const groups = [...new Set(matches.map(groupOf))];
    list.replaceChildren(...groups.map((group) => el('optgroup', { label: group },
      matches.filter((kind) => groupOf(kind) === group).map((kind) => el('option', { value: kind.name }, kind.name)))));
    if (wanted && !state.setup.kinds.some((kind) => kind.name.toLowerCase() === wanted)) {
      list.append(el('optgroup', { label: t('unknown_event') }, el('option', { value: search.value.trim() }, search.value.trim())));
    }
    list.selectedIndex = 0;
    show();
  };
  const show = () => {
    const kind = state.setup.kinds.find((kind) => kind.name === list.value);
    const given = kind ? kind.fields : [
      { path: 'ToUserName', value: state.setup.account_id }, { path: 'FromUserName', value: state.setup.user }, { path: 'EventKey', value: null }];
    rows = given.map(({ path, value }) => {
      const input = el('input', { type: 'text', value: value ?? '', placeholder: t(value === null ? 'not_sent' : 'empty'), 'aria-label': path });
      const row = { path, value, input, gone: false };
      const remove = el('button', { type: 'button', class: 'plain remove', 'aria-label': t('leave_out', { path }), title: t('leave_out', { path }), onclick: () => {
        row.gone = !row.gone;
        input.disabled = row.gone;
        line.classList.toggle('gone', row.gone);
        remove.textContent = row.gone ? '↺' : '×';
      } }, '×');
      const line = el('div', { class: 'field' }, el('code', { title: path }, path), input, value === null ? el('span') : remove);
      row.line = line;
      return row;
    });
    const takes = kind ? t(`takes.${kind.takes}`) : t('unknown_event');
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
  } }, t('edit_as_xml'));
  dialog(t('any_push'), 'large', [el('div', { class: 'kinds' }, search, list), fields], t('push'), () => act(what()), asXml);
  fill();
  search.focus();
}

/** A push of one's own bytes. */
export function raw(message) {
  const text = el('textarea', { class: 'xml', rows: 16, spellcheck: 'false', 'aria-label': t('own_push'), value: message });
  dialog(t('own_push'), 'large one', [
    el('p', { class: 'hint' }, t('own_push_hint')), text,
  ], t('push'), () => act({ raw: { message: text.value } }));
  text.focus();
  text.setSelectionRange(0, 0);
}

export function profile() {
  const line = (name, value) => [el('dt', {}, name), el('dd', {}, value)];
  const change = state.following
    ? el('button', { type: 'button', class: 'warn', onclick: () => { byId('dialog').close(); push('unsubscribe'); } }, t('unfollow'))
    : el('button', { type: 'button', class: 'primary', onclick: () => { byId('dialog').close(); act({ follow: {} }); } }, t('follow_button'));
  dialog(byId('name').textContent, 'small', [el('dl', {}, line(t('account_id'), el('code', {}, state.setup.account_id)), line(t('user_id'), el('code', {}, state.setup.user)),
    line(t('state'), t(state.following ? 'following' : 'not_following')))], null, () => true, change);
}

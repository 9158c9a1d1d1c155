// What the page knows, and how it tells the server what is done here.

import { byId, toast } from './elements.js';
import { t, told } from './words.js';

/** `chosenAttempt` is the delivery that is looked at: the last one, unless another was chosen. */
export const state = { setup: null, following: true, selected: null, chosenAttempt: null };
/** By their numbers. */
export const pushes = new Map();

export async function post(path, body) {
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
    // Not the server's own words, but those of what reads requests for it.
  }
  if (!response.ok) throw new Error(answer?.problem ? told(answer.problem) : t('failed', { status: response.status, text }));
  return answer;
}

export async function act(what) {
  byId('toast').hidden = true;
  try {
    await post('/api/acts', what);
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

export const push = (kind, set = [], without = []) => act({ push: { kind, set, without } });

// The page's words: all of them stand in words.json, in English and in Chinese. The browser's language chooses.
const WORDS = await (await fetch('/words.json')).json();

export const language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';

/** The words with this name; `values` go where their names stand in braces. */
export function t(name, values = {}) {
  return WORDS[name][language].replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/** What the server says in both languages. */
export const told = (words) => words[language];

/** Puts words into what is marked with `data-text`, `data-label` or `data-title`. */
export function translate(root) {
  root.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of root.querySelectorAll('[data-text]')) element.textContent = t(element.dataset.text);
  for (const element of root.querySelectorAll('[data-label]')) element.setAttribute('aria-label', t(element.dataset.label));
  for (const element of root.querySelectorAll('[data-title]')) element.title = t(element.dataset.title);
}

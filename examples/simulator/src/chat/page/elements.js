// Elements of the page, and how numbers are written.

export const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children, which are elements or texts. */
export function el(tag, attributes = {}, ...children) {
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

export function icon(name, className = 'icon') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

export const two = (number) => String(number).padStart(2, '0');
export const seconds = (millis) => `${(millis / 1000).toFixed(2)} s`;
export const duration = (millis) => (millis < 1000 ? `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms` : seconds(millis));

let toastTimer = null;
export function toast(text) {
  const box = byId('toast');
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 2500);
}

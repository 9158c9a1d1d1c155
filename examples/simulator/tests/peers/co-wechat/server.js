// A receiver on co-wechat and koa, as co-wechat's README begins: `node server.js PORT`.
const Koa = require('koa');
const wechat = require('co-wechat');

const config = { token: process.env.WECHAT_TOKEN };
if ((process.env.WECHAT_MODE || 'plain') !== 'plain') {
  config.appid = process.env.WECHAT_APP_ID;
  config.encodingAESKey = process.env.WECHAT_AES_KEY;
}

let runs = 0;
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const app = new Koa();
app.use(wechat(config).middleware(async (message) => {
  if (message.MsgType !== 'text') return '';
  const text = message.Content || '';
  const [, command, rest] = /^(echo|wait) ([^]+)$/.exec(text) || [];
  if (command === 'echo') return rest;
  if (command === 'wait') await sleep(Number(rest));
  if (command === 'wait' || text === 'number') return `number ${++runs}`;
  return text;
}));
app.listen(Number(process.argv[2]), '127.0.0.1');

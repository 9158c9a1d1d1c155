// A receiver on wechat and express, as wechat's README begins: `node server.js PORT`.
const express = require('express');
const wechat = require('wechat');

const config = { token: process.env.WECHAT_TOKEN };
if ((process.env.WECHAT_MODE || 'plain') !== 'plain') {
  config.appid = process.env.WECHAT_APP_ID;
  config.encodingAESKey = process.env.WECHAT_AES_KEY;
}

let runs = 0;
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function answer(text) {
  const [, command, rest] = /^(echo|wait) ([^]+)$/.exec(text) || [];
  if (command === 'echo') return rest;
  if (command === 'wait') await sleep(Number(rest));
  if (command === 'wait' || text === 'number') return `number ${++runs}`;
  return text;
}

const app = express();
app.use(express.query());
app.use('/wechat', wechat(config, (req, res, next) => {
  const message = req.weixin;
  if (message.MsgType !== 'text') return res.reply('');
  answer(message.Content || '').then((text) => res.reply(text)).catch(next);
}));
app.listen(Number(process.argv[2]), '127.0.0.1');

// What Electron's own default application does with a folder that it is started with: the copy in place of a downloaded
// Electron was part of somebody's application, and has none.
const { app } = require('electron');
const { existsSync, readFileSync } = require('node:fs');
const { join, resolve } = require('node:path');

const folder = process.argv.slice(1).find((arg) => !arg.startsWith('-') && existsSync(join(arg, 'package.json')));
if (!folder) throw new Error('which application? Its folder is the first argument');
const { main, name, productName = name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
app.setName(productName);
app.setVersion(version);
app.setAppPath(resolve(folder));
require(resolve(folder, main));

// Packages dist/ with Electron for this system, into out/ (or `--out FOLDER`).
//
// Electron is downloaded, or taken from `--electron-zips FOLDER` with its releases as they are published; another version
// than that of package.json is `--electron-version VERSION`.
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FuseV1Options, FuseVersion, flipFuses, getCurrentFuseWire } from '@electron/fuses';
import { packager } from '@electron/packager';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'out' },
    'electron-zips': { type: 'string' },
    'electron-version': { type: 'string' },
  },
});
const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'));
const electronVersion = values['electron-version'] ?? devDependencies.electron;

/** What Electron can do that this application does not need: switched off in the binary, before it is signed. */
const FUSES = {
  // ELECTRON_RUN_AS_NODE would make any program of it.
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  // --inspect would let any program in.
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.EnableCookieEncryption]: true,
  // Only what was packaged runs: checked on macOS and Windows, and loaded from nowhere else.
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
  // Own pages are no files.
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
  [FuseV1Options.WasmTrapHandlers]: true,
};

function binaryIn(folder, platform) {
  if (platform === 'darwin') return join(folder, 'Hyperion.app');
  return join(folder, platform === 'win32' ? 'hyperion.exe' : 'hyperion');
}

/** All fuses, so that one that a newer Electron brings is thought about; of an older Electron those that it has. */
async function fusesOf(binary) {
  if (electronVersion === devDependencies.electron) return { strictlyRequireAllFuses: true, ...FUSES };
  const wire = await getCurrentFuseWire(binary);
  return Object.fromEntries(Object.entries(FUSES).filter(([fuse]) => wire[fuse] !== undefined));
}

const [folder] = await packager({
  dir: '.',
  out: values.out,
  overwrite: true,
  name: 'Hyperion',
  executableName: process.platform === 'darwin' ? 'Hyperion' : 'hyperion',
  electronVersion,
  ...(values['electron-zips'] && { electronZipDir: values['electron-zips'] }),
  // dist/ holds everything, also what it was bundled from.
  prune: false,
  ignore: (path) => !/^(|\/package\.json|\/dist(\/.*)?)$/.test(path),
  asar: true,
  appBundleId: 'org.hyperion.desktop',
  protocols: [{ name: 'Hyperion meeting', schemes: ['hyperion'] }],
  extendInfo: {
    NSCameraUsageDescription: 'You are seen in meetings.',
    NSMicrophoneUsageDescription: 'You are heard in meetings.',
  },
  quiet: true,
  afterComplete: [
    async ({ buildPath, platform, arch }) => {
      const binary = binaryIn(buildPath, platform);
      await flipFuses(binary, {
        version: FuseVersion.V1,
        resetAdHocDarwinSignature: platform === 'darwin' && arch === 'arm64',
        ...(await fusesOf(binary)),
      });
      if (platform !== 'linux') return;
      await copyFile('linux/hyperion.desktop', join(buildPath, 'hyperion.desktop'));
      await copyFile('icons/icon.png', join(buildPath, 'icon.png'));
    },
  ],
});
process.stdout.write(`${folder}\n`);

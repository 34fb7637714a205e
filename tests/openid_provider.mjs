// A provider of OpenID Connect on loopback, for tests: oidc-provider with people whom a test names.
//
//   node openid_provider.mjs FOLDER SETTINGS
//
// FOLDER is that of the package; SETTINGS is JSON: clients (as the package takes them) and people (claims by subject).
// Whoever names themselves at its login page is believed.

import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, settings] = process.argv.slice(2);
const { clients, people } = JSON.parse(settings);
const { default: Provider } = await import(pathToFileURL(join(folder, 'lib', 'index.js')));

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    findAccount: (_, subject) => subject in people && {
      accountId: subject,
      claims: () => ({ sub: subject, ...people[subject] }),
    },
  });
  server.on('request', provider.callback());
  console.log(`listens on ${issuer}`);
});

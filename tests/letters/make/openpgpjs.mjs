// Letters by OpenPGP.js and nodemailer, in the arrangements of the programs that are built on OpenPGP.js.
// Arguments: the folder with the keys, the folder with the files, where the letters go.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';

const require = createRequire('/usr/local/lib/');
const openpgp = require('openpgp');
const MailComposer = require('nodemailer/lib/mail-composer');
const nodemailer = require('nodemailer');
const { openpgpEncrypt } = require('nodemailer-openpgp');

const [keys, files, out] = process.argv.slice(2);
const read = name => readFileSync(path.join(keys, `${name}.asc`), 'utf8');
const TEXT = readFileSync(path.join(out, 'text'), 'utf8');
const SUBJECT = 'XSS in de zoekfunctie – één';
const ENVELOPE = { from: 'Renée Reporter <renee@melder.example>', to: 'cvd@gemeente.example', subject: SUBJECT };
const PNG = readFileSync(path.join(files, 'scherm.png'));
const REPORT = readFileSync(path.join(files, 'verslag één.txt'));

const desk = await openpgp.readKey({ armoredKey: read('intake.public') });
const renee = await openpgp.readPrivateKey({ armoredKey: read('renee.secret') });

const build = options => new Promise((done, failed) => new MailComposer(options).compile()
  .build((error, mail) => error ? failed(error) : done(mail)));
const write = (name, mail) => writeFileSync(path.join(out, `${name}.eml`), mail);
const seal = (data, more = {}) => openpgp.encrypt({
  message: data, encryptionKeys: desk, signingKeys: renee, ...more });
const text = value => openpgp.createMessage({ text: value });
const binary = value => openpgp.createMessage({ binary: new Uint8Array(value) });

// An entity without the headers of a mail: what stands under the seal.
async function entity(options, ...headers) {
  const mail = (await build(options)).toString('utf8');
  const [head, ...body] = mail.split('\r\n\r\n');
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n').filter(line => /^content-/i.test(line));
  return [[...lines, ...headers].join('\r\n'), ...body].join('\r\n\r\n').replace(/\r?\n/g, '\r\n');
}

async function sealedMail(armour, subject, more = {}) {
  const boundary = 'zegel0001';
  const head = (await build({ ...ENVELOPE, subject, text: 'x', ...more })).toString('utf8').split('\r\n\r\n')[0]
    .split('\r\n').filter(line => !/^content-/i.test(line)).join('\r\n');
  return `${head}\r\nContent-Type: multipart/encrypted; boundary="${boundary}"; protocol="application/pgp-encrypted"\r\n\r\n`
    + `This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n--${boundary}\r\nContent-Type: application/pgp-encrypted\r\n`
    + 'Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n'
    + `--${boundary}\r\nContent-Type: application/octet-stream; name="encrypted.asc"\r\nContent-Description: OpenPGP encrypted message\r\n`
    + `Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n${armour.replace(/\r?\n/g, '\r\n')}\r\n--${boundary}--\r\n`;
}

// Mailvelope in a webmail: armour in the text, files sealed one by one; or PGP/MIME where the webmail lets it.
async function mailvelope() {
  write('mailvelope-inline', await build({ ...ENVELOPE, text: await seal(await text(TEXT), {
    config: { showVersion: true, showComment: true, versionString: 'Mailvelope v6.0.1', commentString: 'https://mailvelope.com' } }) }));
  write('mailvelope-inline-with-files', await build({ ...ENVELOPE, text: await seal(await text(TEXT)), attachments: [
    { filename: 'scherm.png.asc', content: await seal(await binary(PNG)), contentType: 'application/octet-stream' },
    { filename: 'verslag één.txt.gpg', content: Buffer.from(await seal(await binary(REPORT), { format: 'binary' })) }] }));
  const inner = await entity({ text: TEXT, attachments: [{ filename: 'scherm.png', content: PNG }] });
  write('mailvelope-pgpmime', await sealedMail(await seal(await text(inner)), 'Encrypted message'));
}

// FlowCrypt: armour in the text, each file sealed as name.pgp, the key attached.
async function flowcrypt() {
  write('flowcrypt-armour-and-pgp-files', await build({ ...ENVELOPE, text: await seal(await text(TEXT)), attachments: [
    { filename: 'verslag één.txt.pgp', content: Buffer.from(await seal(await binary(REPORT), { format: 'binary', signingKeys: [] })),
      contentType: 'application/pgp-encrypted' },
    { filename: '0xB5FC3F7122162762720BDDFA8DA89988C395E800.asc', content: renee.toPublic().armor(), contentType: 'application/pgp-keys' }] }));
  write('flowcrypt-clearsigned', await build({ ...ENVELOPE, text: await openpgp.sign({
    message: await openpgp.createCleartextMessage({ text: TEXT }), signingKeys: renee }) }));
}

// Proton to somebody outside: HTML and plain text under the seal, with the key; or a signed mail in the open.
async function proton() {
  const name = 'publickey - renee@melder.example - 0xB5FC3F71.asc';
  const inner = await entity({ html: `<div>${TEXT.replace(/</g, '&lt;').replace(/\n/g, '<br>')}</div>`, text: TEXT, attachments: [
    { filename: name, content: renee.toPublic().armor(), contentType: 'application/pgp-keys' }] }, `Subject: =?utf-8?B?${Buffer.from(SUBJECT).toString('base64')}?=`);
  write('proton-pgpmime-with-key', await sealedMail(await seal(await text(inner)), '...'));
  const html = await entity({ html: `<div><b>Lek</b> op https://www.gemeente.example/zoeken<br>C:\\new\\temp\\één.log — € 0,00.</div>` });
  write('proton-pgpmime-html-only', await sealedMail(await seal(await text(html)), SUBJECT));
  const armour = await openpgp.sign({ message: await binary(Buffer.from(inner)), signingKeys: renee, detached: true });
  const start = (await build({ ...ENVELOPE, text: 'x' })).toString('utf8').split('\r\n\r\n')[0].split('\r\n').filter(l => !/^content-/i.test(l)).join('\r\n');
  const signed = b => `${start}\r\nContent-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha512; boundary="${b}"\r\n\r\n`
    + `This is an OpenPGP/MIME signed message (RFC 4880 and 3156)\r\n--${b}\r\n${inner}\r\n--${b}\r\nContent-Type: application/pgp-signature; name="signature.asc"\r\n`
    + `Content-Description: OpenPGP digital signature\r\nContent-Disposition: attachment; filename="signature.asc"\r\n\r\n${armour.replace(/\r?\n/g, '\r\n')}\r\n--${b}--\r\n`;
  write('proton-signed', signed('handtekening0001'));
}

// What RFC 9580 brings: AEAD, and keys of version 6.
async function modern() {
  const aead = { aeadProtect: true, preferredAEADAlgorithm: openpgp.enums.aead.ocb };
  const promised = await openpgp.readKey({ armoredKey: read('intake.public') });
  for (const user of promised.users) for (const one of user.selfCertifications) one.features = [1 | 8];
  write('seipd-version-2', await build({ ...ENVELOPE, text: await seal(await text(TEXT), { encryptionKeys: promised, config: aead }) }));
  const six = await openpgp.generateKey({ type: 'curve25519', userIDs: [{ name: 'Zes', email: 'zes@melder.example' }], config: { v6Keys: true }, format: 'object' });
  const from = { ...ENVELOPE, from: 'Zes <zes@melder.example>' };
  write('signed-by-version-6-key', await build({ ...from, text: await seal(await text(TEXT), { signingKeys: six.privateKey }) }));
  write('sealed-to-version-6-key', await build({ ...from, text: await seal(await text(TEXT), { encryptionKeys: six.publicKey }) }));
  write('version-6-key-attached', await build({ ...from, text: await seal(await text(TEXT), { signingKeys: [] }), attachments: [
    { filename: 'zes.asc', content: six.publicKey.armor(), contentType: 'application/pgp-keys' }] }));
}

// The plugin that people put into their own software.
async function plugin() {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  transport.use('stream', openpgpEncrypt({ signingKey: read('renee.secret') }));
  for (const [name, sign] of [['nodemailer-openpgp-encrypted', false], ['nodemailer-openpgp-encrypted-signed', true]]) {
    const sent = await transport.sendMail({ ...ENVELOPE, text: TEXT, attachments: [{ filename: 'scherm.png', content: PNG }],
      encryptionKeys: [read('intake.public')], shouldSign: sign });
    write(name, sent.message);
  }
}

for (const program of [mailvelope, flowcrypt, proton, modern, plugin]) {
  try { await program(); } catch (error) { console.error(program.name, error); process.exitCode = 1; }
}

// What the checks in a browser have in common: the program that serves, the browser, what it complains of,
// and the pictures. It knows nothing of any page.

"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const ROOT = path.resolve(__dirname, "../../..");
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target");
const DESKTOP = { viewport: { width: 1360, height: 900 } };
const PHONE = {
  viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true,
};

function ok(what) {
  console.log(`  ok: ${what}`);
}

/** An example of this workspace: its first line, a way to ask it a line, and what ends it. */
async function serve(example) {
  const program = path.join(TARGET, "debug/examples", example);
  const child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = [];
  // A program that has ended answers nobody.
  const fail = (error) => waiting.splice(0).forEach(({ reject }) => reject(error));
  child.once("error", fail);
  child.once("exit", (code) => fail(new Error(`${example} ended with ${code}`)));
  readline.createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(line));
  const next = () => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const ask = (line) => {
    const answer = next();
    child.stdin.write(`${line}\n`);
    return answer;
  };
  return { first: await next(), ask, end: () => child.stdin.end() };
}

async function browse() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/** Pages of a browser of their own each, whose complaints are gathered: broken policies, missing files. */
function pages(browser, complaints) {
  return async (options) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        complaints.push(`${page.url()}: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
    return page;
  };
}

/** Takes pictures into a folder of tests/output, which is emptied first. */
function camera(folder) {
  const output = path.join(ROOT, "tests/output", folder);
  fs.rmSync(output, { recursive: true, force: true });
  fs.mkdirSync(output, { recursive: true });
  return (page, name) => page.screenshot({ path: path.join(output, `${name}.png`), fullPage: true });
}

async function assertFits(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= page.viewportSize().width, `${name} is ${wide} wide`);
}

/** Runs a check; whatever it throws is a failure. */
function check(main) {
  main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}

module.exports = { DESKTOP, PHONE, assertFits, browse, camera, check, ok, pages, serve };

// Walks through the back office with a browser that this project did not write: logs in, looks at each
// page, shows a card's code, imports cards, and sees that the pages need no script, break no policy of
// their own and are not wider than a phone. What it saw is in tests/output/office/*.png.
//
//     cargo build -p commerce --example office
//     npm ci && node check_office.js

"use strict";

const assert = require("node:assert/strict");
const { DESKTOP, PHONE, assertFits, browse, camera, check, ok, pages, serve } = require("./browser");

const PASSWORD = "correct horse battery";
const shoot = camera("office");

async function logIn(page, url, name, password = PASSWORD) {
  await page.goto(`${url}/login`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** The pages that are looked at, and the name of each one's picture. */
async function places(page, url) {
  await page.goto(`${url}/sales`);
  const sale = await page.locator("tbody tr a").first().getAttribute("href");
  await page.goto(`${url}/purchases?stuck=yes`);
  const stuck = await page.locator("tbody tr a").first().getAttribute("href");
  const at = (href) => new URL(href, url).href;
  return [
    ["overview", url], ["purchases", `${url}/purchases`], ["purchase", at(stuck)],
    ["sales", `${url}/sales`], ["sale", at(sale)], ["stock", `${url}/stock`],
    ["card-type", `${url}/stock/MOBI100`], ["ledger", `${url}/ledger?check=yes`],
    ["accounts", `${url}/ledger/accounts`],
    ["statement", `${url}/ledger/accounts/agent:anphat:deposit`],
    ["entry", `${url}/ledger/entries/sale:1`], ["agents", `${url}/agents`],
    ["agent", `${url}/agents/anphat`], ["merchants", `${url}/merchants`],
    ["merchant", `${url}/merchants/vemaybay`], ["deliveries", `${url}/deliveries`],
    ["operators", `${url}/operators`], ["operator", `${url}/operators/clara`],
    ["audit", `${url}/audit`], ["me", `${url}/me`],
  ];
}

async function lookAround(page, all, suffix) {
  for (const [name, href] of all) {
    const answer = await page.goto(href);
    assert.equal(answer.status(), 200, href);
    await assertFits(page, name + suffix);
    await shoot(page, name + suffix);
  }
  ok(`${all.length} pages${suffix} are there and fit the screen`);
}

async function showCode(page, url) {
  await page.goto(`${url}/sales`);
  await page.locator("tbody tr a").first().click();
  await page.getByRole("link", { name: "Open" }).first().click();
  assert.equal(await page.locator("#pin").count(), 0);
  await shoot(page, "card");
  await page.getByLabel("Reason").fill("the customer's SMS was lost");
  await page.getByRole("button", { name: "Show the code" }).click();
  assert.match(await page.locator("#pin").innerText(), /^\d{13}$/);
  await page.getByText("the customer's SMS was lost").waitFor();
  await shoot(page, "card-shown");
  const pin = await page.locator("#pin").innerText();
  await page.goto(`${url}/audit?what=card.shown`);
  assert.equal(await page.locator("tbody tr").count(), 1);
  assert.ok(!(await page.content()).includes(pin));
  ok("a code is shown for a reason and its view is in the audit log");
}

async function importCards(page, url) {
  const upload = async (text) => {
    await page.goto(`${url}/stock/GATE100`);
    const file = { name: "cards.csv", mimeType: "text/csv", buffer: Buffer.from(text) };
    await page.getByLabel("CSV file").setInputFiles(file);
    await page.getByRole("button", { name: "Import" }).click();
  };
  const head = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n";
  await upload(`${head}A-1,991,2035-12-30\nA 2,992,2035-12-30\nA-3,993,soon\nA-1,994,2035-12-30\n`);
  assert.equal(await page.getByRole("alert").getByRole("listitem").count(), 3);
  await shoot(page, "import-faults");
  await upload(`${head}A-1,991,2035-12-30\nA-2,992,2035-12-30\n`);
  await page.getByText("The cards are in stock.").waitFor();
  await shoot(page, "import");
  ok("a file with faults names them by line, and a good one is in stock");
}

async function main() {
  const office = await serve("office");
  office.url = office.first;
  const browser = await browse();
  const complaints = [];
  const open = pages(browser, complaints);
  try {
    const page = await open(DESKTOP);
    await page.goto(office.url);
    assert.equal(new URL(page.url()).pathname, "/office/login");
    await shoot(page, "login");
    await logIn(page, office.url, "anna", "wrong");
    await page.getByRole("alert").waitFor();
    await shoot(page, "login-wrong");
    // A browser tells of the status of such a page, and of nothing else.
    assert.match(complaints.splice(0).join(), /^[^,]*401[^,]*$/);
    await logIn(page, office.url, "anna");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
    ok("there is no page without a login");

    await showCode(page, office.url);
    await importCards(page, office.url);
    assert.match(complaints.splice(0).join(), /^[^,]*422[^,]*$/);
    const all = await places(page, office.url);
    await lookAround(page, all, "");

    await page.goto(`${office.url}/agents/anphat`);
    await page.getByRole("button", { name: "Make a key" }).click();
    assert.match(await page.locator("#key").innerText(), /^[0-9A-F]{64}$/);
    await shoot(page, "key");
    await page.goto(`${office.url}/purchases?stuck=yes`);
    await page.locator("tbody tr a").first().click();
    await page.getByLabel("Reason").fill("told by the bank");
    await page.getByRole("button", { name: "Settle as refunded" }).click();
    await page.getByText("It is settled as you said.").waitFor();
    ok("a stuck purchase is settled by hand");

    // By the keyboard alone: the first stop leads past the menu.
    await page.goto(office.url);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "content");
    ok("the keyboard gets to the content at once");

    const dark = await open({ ...DESKTOP, colorScheme: "dark", javaScriptEnabled: false });
    await logIn(dark, office.url, "anna");
    for (const name of ["overview", "sale", "card-type"]) {
      await dark.goto(all.find(([own]) => own === name)[1]);
      await shoot(dark, `${name}-dark`);
    }
    ok("nothing needs a script");

    const phone = await open(PHONE);
    await logIn(phone, office.url, "anna");
    await lookAround(phone, all, "-phone");

    const viewer = await open(DESKTOP);
    await logIn(viewer, office.url, "victor");
    assert.equal(await viewer.getByRole("link", { name: "Audit log" }).count(), 0);
    await viewer.goto(all.find(([own]) => own === "purchases")[1]);
    await shoot(viewer, "purchases-viewer");
    assert.deepEqual(complaints, []);
    const refused = await viewer.goto(`${office.url}/audit`);
    assert.equal(refused.status(), 403);
    await shoot(viewer, "refused");
    ok("a viewer is shown less, and no page breaks the policy that it comes with");
  } finally {
    await browser.close();
    office.end();
  }
}

check(main);

// Pays at a shop with a browser that this project did not write: the shop's signed link, the phone, the
// one-time password from the handset, what the bank says, the way back, and what the shop believes in the
// end. All that can come between is tried on a phone and on a desktop. What it saw is in
// tests/output/checkout/*.png.
//
//     cargo build -p loadtest --example checkout
//     npm ci && node check_checkout.js

"use strict";

const assert = require("node:assert/strict");
const { DESKTOP, PHONE, assertFits, browse, camera, check, ok, pages, serve } = require("./browser");

const AMOUNT = 1_250_000;
const WRITTEN = /1\.250\.000\sđ/;
const DESCRIPTION = "Áo dài lụa Hà Đông, 2 chiếc";
/** For a bank that is silent: asked again, taken back, and told. In milliseconds. */
const PATIENCE = 60_000;

const shoot = camera("checkout");

/** The example's town, by its commands. */
async function settle() {
  const town = await serve("checkout");
  const ask = async (command) => {
    const answer = JSON.parse(await town.ask(JSON.stringify(command)));
    assert.equal(answer.error, undefined, answer.error);
    return answer;
  };
  const { phones } = JSON.parse(town.first);
  return { ask, phones, end: town.end };
}

/** Asks until it is so; the shop and the bank need a moment. */
async function until(what, ask, isSo) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const got = await ask();
    if (isSo(got)) return got;
    assert.ok(Date.now() < deadline, `${what}: ${JSON.stringify(got)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** One customer with a device of one kind, at one order. */
class Customer {
  constructor(town, page, order, phone, suffix) {
    Object.assign(this, { town, page, order, phone, suffix });
  }

  async link(more = {}) {
    const { link } = await this.town.ask({
      do: "place", order: this.order, amount: AMOUNT, description: DESCRIPTION, ...more,
    });
    return link;
  }

  async look(name) {
    await assertFits(this.page, name + this.suffix);
    await shoot(this.page, name + this.suffix);
  }

  heading(name) {
    return this.page.getByRole("heading", { level: 1, name });
  }

  async told(name) {
    await this.heading(name).waitFor({ timeout: PATIENCE });
  }

  async comeIn() {
    const answer = await this.page.goto(await this.link());
    assert.equal(answer.status(), 200);
    const order = this.page.getByRole("region", { name: "Đơn hàng" });
    for (const shown of ["Chợ Nổi", DESCRIPTION, this.order, WRITTEN]) {
      await order.getByText(shown).waitFor();
    }
  }

  phoneField() {
    return this.page.getByLabel("Số điện thoại", { exact: true });
  }

  codeField() {
    return this.page.getByLabel("Mã xác nhận", { exact: true });
  }

  payButton() {
    return this.page.getByRole("button", { name: /^Thanh toán 1\.250\.000\sđ$/ });
  }

  async givePhone(phone = this.phone) {
    await this.phoneField().fill(phone);
    await this.page.getByRole("button", { name: "Nhận mã xác nhận" }).click();
  }

  async password() {
    await this.codeField().waitFor();
    const { password } = await this.town.ask({ do: "password", phone: this.phone });
    assert.match(password, /^\d{6}$/);
    return password;
  }

  async giveCode(code) {
    await this.codeField().fill(code);
    await this.payButton().click();
  }

  /** What stands beside a field that was filled in wrong, for eyes and for screen readers. */
  async complaint(field) {
    await this.page.getByRole("alert").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    const id = await field.getAttribute("aria-describedby");
    return this.page.locator(`#${id.split(" ")[0]}`).innerText();
  }

  async pay() {
    await this.comeIn();
    await this.givePhone();
    await this.giveCode(await this.password());
    await this.told("Thanh toán thành công");
  }

  /** To the shop's own page, which has verified who sends him. */
  async goBack(result) {
    await this.page.getByRole("link", { name: "Về cửa hàng" }).click();
    await this.heading(result).waitFor();
    const { returns } = await this.town.ask({ do: "order", order: this.order });
    assert.equal(returns.at(-1), result);
  }

  async shopKnows(state) {
    const ask = () => this.town.ask({ do: "order", order: this.order });
    const known = await until(this.order, ask, (order) => order.state === state);
    assert.equal(known.changes, 1);
  }

  async bankHas(times, stands) {
    assert.deepEqual(await this.town.ask({ do: "debits", phone: this.phone }), { stands, times });
  }

  async isAtAnEnd() {
    assert.equal(await this.page.getByRole("textbox").count(), 0);
    assert.equal(await this.page.getByRole("button").count(), 0);
  }
}

async function paid(own) {
  const before = await own.town.ask({ do: "counts" });
  await own.town.ask({ do: "fail-ipns", count: 1 });
  await own.comeIn();
  const phone = own.phoneField();
  const attribute = (field, name) => field.getAttribute(name);
  assert.deepEqual(
    [await attribute(phone, "type"), await attribute(phone, "inputmode"), await attribute(phone, "autocomplete")],
    ["tel", "tel", "tel"],
  );
  await own.look("number");
  await own.givePhone();
  const code = await own.password();
  const field = own.codeField();
  assert.deepEqual(
    [await attribute(field, "inputmode"), await attribute(field, "autocomplete")],
    ["numeric", "one-time-code"],
  );
  assert.ok(!(await own.page.content()).includes(own.phone.slice(1)));
  await own.look("code");
  await own.giveCode(code);
  await own.told("Thanh toán thành công");
  await own.look("paid");
  await own.isAtAnEnd();
  await own.goBack("PAID");
  await own.shopKnows("Paid");
  const after = await own.town.ask({ do: "counts" });
  assert.deepEqual([after.failed - before.failed, after.taken - before.taken, after.forged], [1, 1, 0]);
  await own.bankHas(1, AMOUNT);
  return [];
}

async function wrongCodeThenRight(own) {
  await own.comeIn();
  await own.givePhone("12");
  assert.match(await own.complaint(own.phoneField()), /Số điện thoại chưa đúng/);
  assert.equal(await own.phoneField().inputValue(), "12");
  await own.look("number-wrong");
  // Nobody learns whether it is linked.
  await own.givePhone("0987654321");
  assert.match(await own.complaint(own.phoneField()), /Chưa thể thanh toán bằng số điện thoại này/);
  await own.look("number-refused");
  await own.givePhone();
  const code = await own.password();
  await own.giveCode(code === "000000" ? "000001" : "000000");
  assert.match(await own.complaint(own.codeField()), /chưa đúng.*còn 4 lần thử/);
  await own.look("code-wrong");
  await own.giveCode(code);
  await own.told("Thanh toán thành công");
  await own.bankHas(1, AMOUNT);
  return [422, 422, 422];
}

async function tooManyWrongCodes(own) {
  await own.comeIn();
  await own.givePhone();
  const code = await own.password();
  for (let tries = 0; tries < 5; tries += 1) {
    await own.giveCode(code === "000000" ? "000001" : "000000");
    await own.page.getByRole("alert").waitFor();
  }
  assert.match(await own.complaint(own.codeField()), /quá nhiều lần/);
  await own.look("code-locked");
  await own.giveCode(code);
  await own.page.getByRole("alert").waitFor();
  await own.bankHas(0, 0);
  return [422, 422, 422, 422, 422, 422];
}

async function declined(own) {
  await own.town.ask({ do: "bank", mood: "declines" });
  await own.comeIn();
  await own.givePhone();
  await own.giveCode(await own.password());
  await own.told("Ngân hàng từ chối giao dịch");
  await own.page.getByText("Quý khách không bị trừ tiền.").waitFor();
  await own.look("declined");
  await own.isAtAnEnd();
  await own.town.ask({ do: "bank", mood: "approves" });
  await own.goBack("FAILED");
  await own.shopKnows("Failed");
  await own.bankHas(0, 0);
  return [];
}

async function bankIsSilent(own) {
  await own.town.ask({ do: "bank", mood: "silent" });
  await own.comeIn();
  await own.givePhone();
  await own.giveCode(await own.password());
  // No one touches the page from here on: it goes on by itself.
  await own.told("Đang chờ ngân hàng");
  await own.look("waiting");
  const guesses = /thành công|từ chối/;
  await own.told("Ngân hàng chưa trả lời");
  assert.doesNotMatch(await own.page.locator("main").innerText(), guesses);
  await own.look("unknown");
  await own.told("Ngân hàng chưa xác nhận, giao dịch đang được hủy");
  assert.doesNotMatch(await own.page.locator("main").innerText(), guesses);
  assert.equal((await own.town.ask({ do: "order", order: own.order })).state, "Open");
  await own.look("reversing");
  await own.told("Thanh toán không thành công");
  await own.look("reversed");
  await own.town.ask({ do: "bank", mood: "approves" });
  await own.goBack("FAILED");
  await own.shopKnows("Failed");
  await own.bankHas(1, 0);
  return [];
}

async function givesUp(own) {
  await own.comeIn();
  await own.givePhone();
  await own.codeField().waitFor();
  await own.page.getByRole("button", { name: "Hủy" }).click();
  await own.told("Quý khách đã hủy thanh toán");
  await own.look("cancelled");
  await own.isAtAnEnd();
  await own.goBack("FAILED");
  await own.shopKnows("Failed");
  await own.bankHas(0, 0);
  return [];
}

async function badLinks(own) {
  const visit = async (link, status, heading, name) => {
    const answer = await own.page.goto(link);
    assert.equal(answer.status(), status);
    await own.told(heading);
    await own.look(name);
    await own.isAtAnEnd();
  };
  const link = await own.link();
  const cheaper = link.replace(`amount=${AMOUNT}`, "amount=1000");
  assert.notEqual(cheaper, link);
  await visit(cheaper, 403, "Liên kết thanh toán không hợp lệ", "link-tampered");
  const late = await own.link({ minutes_ago: 16 });
  await visit(late, 410, "Liên kết thanh toán đã hết hạn", "link-expired");
  assert.deepEqual(await own.town.ask({ do: "order", order: own.order }), {
    state: "Open", changes: 0, returns: [],
  });
  return [403, 410];
}

async function paysOnce(own) {
  const { page } = own;
  await own.comeIn();
  await page.reload();
  await own.givePhone();
  const code = await own.password();
  await page.goBack();
  await own.codeField().waitFor();
  await own.codeField().fill(code);
  const form = await page.locator("form", { has: own.codeField() }).evaluate((form) => ({
    action: form.action, form: form.elements.form.value,
  }));
  await own.payButton().dblclick();
  await own.told("Thanh toán thành công");
  const first = page.url();
  // What a browser that was told to send it once more sends.
  const again = await page.request.post(form.action, { form: { form: form.form, code } });
  assert.equal(again.status(), 200);
  await page.reload();
  await own.told("Thanh toán thành công");
  await page.goBack();
  await own.told("Thanh toán thành công");
  await own.isAtAnEnd();
  // Another visit from the shop is another page of the same order, and the one before is void.
  await page.goto(await own.link());
  await own.told("Thanh toán thành công");
  await own.isAtAnEnd();
  await own.shopKnows("Paid");
  await own.bankHas(1, AMOUNT);
  assert.notEqual(page.url(), first);
  assert.equal((await page.goto(first)).status(), 404);
  await own.told("Trang này không còn dùng được");
  await own.look("page-void");
  return [404];
}

async function withoutScript(own) {
  await own.pay();
  await own.goBack("PAID");
  await own.shopKnows("Paid");
  await own.bankHas(1, AMOUNT);
  return [];
}

const CASES = [
  [paid, "a customer pays, and the shop takes it although its IPN failed at first"],
  [wrongCodeThenRight, "a wrong phone and a wrong password are told beside their field, and a right one pays"],
  [tooManyWrongCodes, "too many wrong passwords lock, also for the right one"],
  [declined, "a bank that declines is told as such, and nothing is debited"],
  [bankIsSilent, "a bank that is silent is unknown and taken back, and the page goes on by itself to the end"],
  [givesUp, "a customer gives up, and the shop hears it"],
  [badLinks, "a link that was changed or is old leads to no form"],
  [paysOnce, "reloads, the way back, double clicks and other visits charge once"],
  [withoutScript, "nothing needs a script", { javaScriptEnabled: false }],
];

async function main() {
  const town = await settle();
  const browser = await browse();
  const complaints = [];
  const open = pages(browser, complaints);
  const phones = town.phones.values();
  try {
    for (const [suffix, device] of [["-phone", PHONE], ["", DESKTOP]]) {
      for (const [place, [act, what, more]] of CASES.entries()) {
        const page = await open({ ...device, ...more, locale: "vi-VN" });
        const phone = act === badLinks ? "" : phones.next().value;
        const statuses = await act(new Customer(town, page, `DH-20${place}${suffix}`, phone, suffix));
        // A browser tells of the status of a page that is a refusal, and of nothing else.
        const told = complaints.splice(0);
        assert.equal(told.length, statuses.length, told.join("\n"));
        told.forEach((one, at) => assert.match(one, new RegExp(`status of ${statuses[at]}`)));
        await page.context().close();
        ok(`${suffix ? "phone" : "desktop"}: ${what}`);
      }
    }
  } finally {
    await browser.close();
    town.end();
  }
}

check(main);

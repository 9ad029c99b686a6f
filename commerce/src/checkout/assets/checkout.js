// Makes the pages more comfortable. Without it they do the same: they load themselves again.
"use strict";

// Looks whether the purchase has gone on, and shows the page anew once it has.
const waiting = document.querySelector("[data-status]");
if (waiting) {
  const { status, stage } = waiting.dataset;
  const page = status.replace(/\/status$/, "");
  let pause = 1500;
  const look = async () => {
    try {
      const answer = await fetch(status, { cache: "no-store" });
      if (answer.ok && (await answer.json()).stage !== stage) {
        location.replace(page);
        return;
      }
    } catch {
      // Offline for a moment: looks again.
    }
    pause = Math.min(pause * 1.2, 10000);
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
}

// Counts down until another code can be sent.
for (const button of document.querySelectorAll("button[data-wait]")) {
  const text = button.dataset.ready;
  const until = Date.now() + Number(button.dataset.wait) * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${text} (${left} giây)` : text;
    if (left > 0) setTimeout(tick, 250);
  };
  tick();
}

// A form is sent once, however often its button is pressed.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    form.querySelector("button").classList.add("busy");
  });
}
// A page that the browser has kept is as if it were new.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

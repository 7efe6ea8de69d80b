// The few things that a page can only do in the reader's browser. Every page works without them.
"use strict";

// Exact times in the reader's own zone; UTC stays in the tooltip.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  if (time.dataset.local === "full") time.textContent = full.format(at);
  else if (time.title) time.title += ` · ${full.format(at)}`;
}

// "/" goes to the search field.
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.querySelector('.search input')?.focus();
});

// On a narrow screen the list comes first; filters open at a tap, unless some are set.
const filters = document.querySelector(".filter-box");
if (filters && matchMedia("(max-width: 860px)").matches && location.search === "") filters.open = false;

// Commands can be copied.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

// "12 new": nothing moves until the reader asks for it.
const fresh = document.getElementById("fresh");
if (fresh) {
  const since = new Date(fresh.dataset.since).getTime();
  fresh.addEventListener("click", () => location.reload());
  const look = async () => {
    if (document.hidden) return;
    const response = await fetch(fresh.dataset.poll, { headers: { accept: "application/json" } }).catch(() => null);
    if (!response || !response.ok) return;
    const page = await response.json();
    const count = page.incidents.filter((incident) => new Date(incident.first_seen_at).getTime() > since).length;
    if (count === 0) return;
    fresh.textContent = `${count}${page.next && count === page.incidents.length ? "+" : ""} new; show`;
    fresh.hidden = false;
  };
  setInterval(look, 15000);
}

// Takes a key from the address, where no server's log can see it, and signs in with it.
function take() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("key").value = given;
  document.getElementById("sign-in").submit();
}

addEventListener("hashchange", take);
take();

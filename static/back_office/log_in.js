// The page is hidden until Alpine has read it, which is too late for autofocus.
document.addEventListener("alpine:initialized", () => {
    requestAnimationFrame(() => document.getElementById("id_username").focus());
});

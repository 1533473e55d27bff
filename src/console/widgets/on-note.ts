/** Notes lie over drawers and dialogs: who presses a button of one does not mean to leave what is typed. */
export const isOnNote = ({ target }: Event): boolean => target instanceof Element && target.closest('.toasts') !== null

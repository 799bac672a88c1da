# cmake -DCOMPILER=… -DFLAGS=…;… -DSOURCE=… -P check.cmake
#
# Compiles SOURCE without mistakes, which must work, and with them, which must not: each comment
# `// says: message` in it stands for one error with that message. Nothing is generated.
execute_process(COMMAND "${COMPILER}" ${FLAGS} -fsyntax-only "${SOURCE}"
    RESULT_VARIABLE status ERROR_VARIABLE said)
if(status)
    message(FATAL_ERROR "does not compile without mistakes:\n${said}")
endif()

execute_process(COMMAND "${COMPILER}" ${FLAGS} -fsyntax-only -DMISTAKES "${SOURCE}"
    RESULT_VARIABLE status ERROR_VARIABLE said)
if(NOT status)
    message(FATAL_ERROR "compiles although it is full of mistakes")
endif()

file(STRINGS "${SOURCE}" expectations REGEX "// says: ")
if(NOT expectations)
    message(FATAL_ERROR "nothing is expected")
endif()
foreach(line IN LISTS expectations)
    string(REGEX REPLACE ".*// says: " "" expected "${line}")
    string(REGEX MATCH "error: [^\n]*${expected}" found "${said}")
    if(NOT found)
        message(SEND_ERROR "nothing says \"${expected}\"")
        set(has_failed TRUE)
    endif()
endforeach()
if(has_failed)
    message(FATAL_ERROR "what was said:\n${said}")
endif()

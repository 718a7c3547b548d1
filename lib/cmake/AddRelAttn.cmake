# Thin wrappers: every library is static, exported and installed; every binary
# links the shared MLIR and LLVM.

# add_relattn_library(name sources... [LINK_LIBS libs...])
function(add_relattn_library name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  add_library(RelAttn::${name} ALIAS ${name})
  add_dependencies(${name} relattn-headers)
  llvm_update_compile_flags(${name})
  target_include_directories(${name} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS} MLIR LLVM)
  install(TARGETS ${name} EXPORT RelAttnTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT relattn-dev)
endfunction()

# add_relattn_tool(name sources... [LINK_LIBS libs...])
function(add_relattn_tool name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  add_dependencies(${name} relattn-headers)
  llvm_update_compile_flags(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS} MLIR LLVM)
  install(TARGETS ${name} EXPORT RelAttnTargets
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT relattn-tools)
endfunction()

# add_relattn_tablegen(td-file generator output generator output ...)
# Runs mlir-tblgen for each pair and makes relattn-headers wait for it.
function(add_relattn_tablegen td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(rest ${ARGN})
  while(rest)
    list(POP_FRONT rest generator output)
    mlir_tablegen(${output} ${generator} -dialect=relattn)
  endwhile()
  get_filename_component(stem ${td} NAME_WE)
  add_public_tablegen_target(${stem}IncGen)
  add_dependencies(relattn-headers ${stem}IncGen)
endfunction()

# add_relattn_doc(td-file output generator options...)
# Writes docs/<output>.md under the build folder with mlir-tblgen.
function(add_relattn_doc td output generator)
  set(LLVM_TARGET_DEFINITIONS ${td})
  tablegen(MLIR ${output}.md ${generator} ${ARGN})
  set(target ${PROJECT_BINARY_DIR}/docs/${output}.md)
  add_custom_command(OUTPUT ${target}
    COMMAND ${CMAKE_COMMAND} -E copy
            ${CMAKE_CURRENT_BINARY_DIR}/${output}.md ${target}
    DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${output}.md)
  add_custom_target(${output}DocGen DEPENDS ${target})
  add_dependencies(relattn-doc ${output}DocGen)
endfunction()
